//! Renders a record: text for people.
