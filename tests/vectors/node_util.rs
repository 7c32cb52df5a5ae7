//! What a node's status says of it.

use wavetank::api::compact::Compactor;
use wavetank::api::object::Object;

use super::suite::{Outcome, run, same};

const ADDRESS: &str = "by which address an API server reaches a kubelet: nobody asks for logs here";

#[test]
pub fn node_util() {
    run("node helpers", include_str!("../data/vectors/node_util.json"), |function, case| {
        match function {
            "TestIsNodeReady" => {
                let mut written = case["input"]["node"].clone();
                written["metadata"] = serde_json::json!({"name": "n"});
                let written = serde_json::from_value(written).expect("a Node");
                let Object::Node(node) = Compactor::new().node(written).object else {
                    return Outcome::Different("it became something else".to_owned());
                };
                same(node.is_ready(), case["expected"]["expect"] == true)
            }
            "TestGetPreferredAddress" => Outcome::Excluded(ADDRESS),
            _ => Outcome::Different("no answer to this function".to_owned()),
        }
    });
}
