//! Draws a bar chart as SVG. The chart has its own background, so that it is readable on light and dark pages.

use std::fmt::Write as _;

const ROW: usize = 26;
const NAMES: usize = 270;
const BARS: f64 = 330.0;

/// Returns a chart with one bar for each (name, milliseconds), in the given order. Names in bold are Fernseal's.
pub(crate) fn bars(title: &str, rows: &[(&str, f64)]) -> String {
    let (width, height) = (700, 64 + ROW * rows.len());
    let most = rows.iter().map(|(_, ms)| *ms).fold(0.0, f64::max);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" \
         font-family=\"ui-sans-serif,system-ui,Segoe UI,Helvetica,Arial,sans-serif\" font-size=\"13\">\n\
         <title>{title}</title>\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"#ffffff\" stroke=\"#d0d7de\"/>\n\
         <text x=\"20\" y=\"28\" font-weight=\"600\" fill=\"#1f2328\">{title}, in milliseconds</text>\n"
    );
    for (row, (name, ms)) in rows.iter().enumerate() {
        let (is_ours, is_floor) = (name.contains("fernseal"), name.contains("floor"));
        let colour = if is_ours {
            "#0969da"
        } else if is_floor {
            "#1a7f37"
        } else {
            "#8c959f"
        };
        let (top, length) = (46 + row * ROW, ms / most * BARS);
        let (middle, end) = (top + 14, NAMES as f64 + length);
        let (name, weight) = (name.replace("**", ""), if is_ours { "600" } else { "400" });
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{middle}\" text-anchor=\"end\" font-weight=\"{weight}\" fill=\"#1f2328\">{name}</text>\n\
             <rect x=\"{NAMES}\" y=\"{top}\" width=\"{length:.1}\" height=\"18\" rx=\"3\" fill=\"{colour}\"/>\n\
             <text x=\"{:.1}\" y=\"{middle}\" fill=\"#1f2328\">{ms:.2}</text>",
            NAMES - 10,
            end + 6.0
        );
    }
    svg + "</svg>\n"
}
