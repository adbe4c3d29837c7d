//! How a run went, as a picture: the share of units decided over time, and where it would have
//! ended had somebody known everything. And what a matrix of attacks came to: what units cost, and how
//! many are wrong.
use super::Progress;
use canvas::Canvas;
use embedded_graphics::{
    mono_font::ascii::FONT_9X15,
    pixelcolor::{Rgb888, RgbColor, WebColors},
    prelude::{Point, Size},
    primitives::Rectangle,
};
use std::path::Path;
use tests::{Report, audit::Line};

const SIZE: Size = Size::new(900, 460);
const LEFT: i32 = 70;
const TOP: i32 = 50;
const WIDTH: i32 = 800;
const HEIGHT: i32 = 350;
const GREY: Rgb888 = Rgb888::new(205, 205, 205);

/// Draws a run.
pub fn draw(file: &Path, report: &Report, progress: &Progress) -> Result<(), String> {
    let mut canvas = Canvas::new(SIZE, Rgb888::WHITE);
    let end_s = report.makespan_s.max(report.ideal_makespan_s) * 1.05;
    let place = |(at_s, share): (f64, f64)| {
        let x = LEFT + (at_s.min(end_s) / end_s * f64::from(WIDTH)) as i32;
        Point::new(x, TOP + HEIGHT - (share * f64::from(HEIGHT)) as i32)
    };
    let step_s = nice_step(end_s);
    for mark in 0..=(end_s / step_s) as u32 {
        let at_s = f64::from(mark) * step_s;
        canvas.line(place((at_s, 0.0)), place((at_s, 1.0)), GREY);
        let label = format!("{at_s:.0} s");
        canvas.text(place((at_s, 0.0)) + Point::new(-12, 8), &FONT_9X15, Rgb888::BLACK, &label);
    }
    for quarter in 0..=4 {
        let share = f64::from(quarter) / 4.0;
        canvas.line(place((0.0, share)), place((end_s, share)), GREY);
        let label = format!("{:>4.0} %", share * 100.0);
        canvas.text(place((0.0, share)) + Point::new(-62, -8), &FONT_9X15, Rgb888::BLACK, &label);
    }
    let ideal_s = report.ideal_makespan_s;
    canvas.line(place((ideal_s, 0.0)), place((ideal_s, 1.0)), Rgb888::CSS_DARK_ORANGE);
    for pair in progress.windows(2) {
        canvas.line(place(pair[0]), place(pair[1]), Rgb888::CSS_DARK_BLUE);
    }
    canvas.frame(
        Rectangle::new(Point::new(LEFT, TOP), Size::new(WIDTH as u32, HEIGHT as u32)),
        Rgb888::BLACK,
    );
    let title = format!(
        "{}, seed {}: {} units on {} peers, {:.0} s = {:.3} x ideal (orange)",
        report.scenario,
        report.seed,
        report.units,
        report.peers,
        report.makespan_s,
        report.makespan_ratio
    );
    canvas.text(Point::new(LEFT, 16), &FONT_9X15, Rgb888::BLACK, &title);
    canvas.save(file).map_err(|error| format!("{}: {error}", file.display()))
}

/// Executions a unit at the right end.
const COST_MAX: f64 = 8.0;
/// Shares of wrong units at both ends of the scale, as powers of ten; none at all is at the lower.
const POWERS: [f64; 2] = [-6.0, 0.0];
/// The policies, by what their cells set.
const POLICIES: [(&str, Rgb888); 4] = [
    ("quorum=2", Rgb888::CSS_DARK_ORANGE),
    ("quorum=3", Rgb888::CSS_BROWN),
    ("adaptive", Rgb888::CSS_PURPLE),
    ("audited", Rgb888::CSS_DARK_BLUE),
];

/// Draws what attacks cost and get through, under each policy.
pub fn draw_matrix(file: &Path, lines: &[Line]) -> Result<(), String> {
    let mut canvas = Canvas::new(SIZE, Rgb888::WHITE);
    let place = |cost: f64, wrong: f64| {
        let power = libm::log10(wrong.max(1e-12)).clamp(POWERS[0], POWERS[1]);
        let x = LEFT + (cost.min(COST_MAX) / COST_MAX * f64::from(WIDTH)) as i32;
        let y = (power - POWERS[0]) / (POWERS[1] - POWERS[0]) * f64::from(HEIGHT);
        Point::new(x, TOP + HEIGHT - y as i32)
    };
    for power in POWERS[0] as i32..=POWERS[1] as i32 {
        let wrong = libm::pow(10.0, power.into());
        canvas.line(place(0.0, wrong), place(COST_MAX, wrong), GREY);
        let label = format!("1e{power}");
        canvas.text(place(0.0, wrong) + Point::new(-50, -8), &FONT_9X15, Rgb888::BLACK, &label);
    }
    for cost in 0..=COST_MAX as u32 {
        let at = place(cost.into(), 1e-6);
        canvas.line(at, place(cost.into(), 1.0), GREY);
        canvas.text(at + Point::new(-4, 8), &FONT_9X15, Rgb888::BLACK, &cost.to_string());
    }
    canvas.line(place(0.0, 1e-4), place(COST_MAX, 1e-4), Rgb888::CSS_DARK_GREEN);
    // Without its parts the policy is not the policy.
    let whole = |line: &&Line| !line.cell.set.iter().any(|set| set.ends_with("=false"));
    for line in lines.iter().filter(whole) {
        let colour = policy(line).1;
        let at = place(line.cell.redundancy, line.cell.wrong.mean);
        (-3..=3).for_each(|y| {
            canvas.line(at + Point::new(-3, y), at + Point::new(3, y), colour);
        });
    }
    for (row, (name, colour)) in POLICIES.iter().enumerate() {
        let at = Point::new(LEFT + WIDTH - 110, TOP + 10 + 18 * row as i32);
        canvas.text(at, &FONT_9X15, *colour, name);
    }
    let title = "wrong units among the accepted, over executions a unit; one mark an attack";
    canvas.text(Point::new(LEFT, 16), &FONT_9X15, Rgb888::BLACK, title);
    canvas.save(file).map_err(|error| format!("{}: {error}", file.display()))
}

fn policy(line: &Line) -> (&'static str, Rgb888) {
    let sets = |name: &str| line.cell.set.iter().any(|set| set.contains(name));
    let named = POLICIES.into_iter().find(|(name, _)| sets(name));
    named.unwrap_or(POLICIES[POLICIES.len() - 1])
}

/// About eight marks at round figures.
fn nice_step(end_s: f64) -> f64 {
    let mut step = 1.0;
    for factor in [2.0, 2.5, 2.0].iter().cycle() {
        if end_s / step <= 9.0 {
            break;
        }
        step *= factor;
    }
    step
}
