//! What pictures are drawn with: text, lines and areas in units of the picture, on whatever plotters can draw
//! on.
//!
//! Owns the colours, the font and how a drawing becomes a file; refuses to know what is drawn.

use plotters::coord::Shift;
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::register_font;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::png;

const FONT: &str = "sans-serif";

/// Colours of text, grid and paper; the report replaces them by its own.
pub const INK: RGBColor = RGBColor(0x1f, 0x29, 0x33);
pub const FAINT: RGBColor = RGBColor(0xd9, 0xde, 0xe4);
pub const PAPER: RGBColor = RGBColor(0xff, 0xff, 0xfe);

/// Okabe and Ito's colours, told apart by all kinds of eyes, darkest first.
pub const COLOURS: [RGBColor; 8] = [
    RGBColor(0x00, 0x72, 0xb2),
    RGBColor(0xe6, 0x9f, 0x00),
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0xcc, 0x79, 0xa7),
    RGBColor(0x56, 0xb4, 0xe9),
    RGBColor(0xd5, 0x5e, 0x00),
    RGBColor(0x8c, 0x8c, 0x8c),
    RGBColor(0x66, 0x51, 0x1a),
];

/// What went wrong while drawing, in words.
pub type Drawn = Result<(), String>;

fn words(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// Something that is drawn the same way whatever it becomes.
pub trait Drawing {
    /// Its width and height, in pixels.
    fn size(&self) -> (u32, u32);

    /// Draws it on paper.
    fn draw<B: DrawingBackend>(&self, brush: &Brush<'_, B>) -> Drawn;
}

/// As SVG.
///
/// # Errors
/// Where plotters cannot draw, in its words.
pub fn svg(of: &impl Drawing) -> Result<String, String> {
    let mut text = String::new();
    on_paper(SVGBackend::with_string(&mut text, of.size()).into_drawing_area(), 1, of)?;
    Ok(text)
}

/// As the bytes of a PNG file.
///
/// # Errors
/// Where plotters cannot draw, in its words.
pub fn png(of: &impl Drawing) -> Result<Vec<u8>, String> {
    let (width, height) = of.size();
    let (wide, high) = (width * 2, height * 2);
    let mut pixels = vec![0_u8; (wide * high * 3) as usize];
    on_paper(BitMapBackend::with_buffer(&mut pixels, (wide, high)).into_drawing_area(), 2, of)?;
    Ok(png::encode(width, height, &png::halve(wide, high, &pixels)))
}

fn on_paper<B: DrawingBackend>(
    area: DrawingArea<B, Shift>,
    scale: i32,
    of: &impl Drawing,
) -> Drawn {
    // All text is set with a font of our own.
    register_font(FONT, FontStyle::Normal, epaint_default_fonts::UBUNTU_LIGHT)
        .map_err(|_| "the font cannot be read".to_owned())?;
    area.fill(&PAPER).map_err(words)?;
    of.draw(&Brush { area: &area, scale })?;
    area.present().map_err(words)
}

/// Draws on an area that is `scale` times as large as the picture.
pub struct Brush<'a, B: DrawingBackend> {
    area: &'a DrawingArea<B, Shift>,
    scale: i32,
}

impl<B: DrawingBackend> Brush<'_, B> {
    fn at(&self, (x, y): (i32, i32)) -> (i32, i32) {
        (x * self.scale, y * self.scale)
    }

    fn path(&self, points: &[(i32, i32)]) -> Vec<(i32, i32)> {
        points.iter().map(|point| self.at(*point)).collect()
    }

    fn thick(&self, style: ShapeStyle) -> ShapeStyle {
        ShapeStyle { stroke_width: style.stroke_width * self.scale as u32, ..style }
    }

    fn style(&self, size: i32, colour: RGBColor, (h, v): (HPos, VPos)) -> TextStyle<'static> {
        (FONT, size * self.scale).into_font().color(&colour).pos(Pos::new(h, v))
    }

    /// How wide a text is.
    pub fn width(&self, text: &str, size: i32) -> i32 {
        let style = self.style(size, INK, (HPos::Left, VPos::Top));
        let wide = self.area.estimate_text_size(text, &style).map_or(0, |(wide, _)| wide);
        // Readers' own fonts may be wider than the one measured.
        (wide as i32 / self.scale) * 11 / 10
    }

    /// The text cut so that it is no wider than `most`.
    pub fn fit(&self, text: &str, size: i32, most: i32) -> String {
        if self.width(text, size) <= most {
            return text.to_owned();
        }
        let mut short: Vec<char> = text.chars().collect();
        while short.len() > 1 {
            short.pop();
            let cut: String = short.iter().chain(['…'].iter()).collect();
            if self.width(&cut, size) <= most {
                return cut;
            }
        }
        short.into_iter().collect()
    }

    /// A line of text.
    pub fn text(
        &self,
        at: (i32, i32),
        text: &str,
        size: i32,
        colour: RGBColor,
        anchor: (HPos, VPos),
    ) -> Drawn {
        let style = self.style(size, colour, anchor);
        self.area.draw_text(text, &style, self.at(at)).map_err(words)
    }

    /// A title beside an axis, read from below.
    pub fn upright(&self, at: (i32, i32), text: &str, size: i32) -> Drawn {
        let style = self.style(size, INK, (HPos::Center, VPos::Top));
        let style = style.transform(FontTransform::Rotate270);
        self.area.draw_text(text, &style, self.at(at)).map_err(words)
    }

    /// A line through these points.
    pub fn line(&self, points: &[(i32, i32)], style: ShapeStyle) -> Drawn {
        self.area.draw(&PathElement::new(self.path(points), self.thick(style))).map_err(words)
    }

    /// The same in dashes.
    pub fn dashes(&self, points: &[(i32, i32)], style: ShapeStyle) -> Drawn {
        let (dash, gap) = (6 * self.scale, 4 * self.scale);
        let path = DashedPathElement::new(self.path(points), dash, gap, self.thick(style));
        self.area.draw(&path).map_err(words)
    }

    /// A rectangle from one corner to the other.
    pub fn block(&self, from: (i32, i32), to: (i32, i32), style: ShapeStyle) -> Drawn {
        self.area.draw(&Rectangle::new([self.at(from), self.at(to)], style)).map_err(words)
    }

    /// The area within this outline.
    pub fn within(&self, outline: &[(i32, i32)], style: ShapeStyle) -> Drawn {
        self.area.draw(&Polygon::new(self.path(outline), style)).map_err(words)
    }
}
