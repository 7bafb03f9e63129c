//! A camera's core that is shown one look after another.

use gridpatrol::case::{Change, Happening};
use gridpatrol::clock::CaptureTime;
use gridpatrol::config::ConfigFile;
use gridpatrol::detect::{BBox, Detection, Vocabulary};
use gridpatrol::judge::Judge;
use gridpatrol::look::{Look, View};
use gridpatrol::plan::{Input, Plan};

/// What a look shows: label and box.
pub type Thing = (&'static str, BBox);

/// A camera with one zone of `kind` over the lower half of the picture; `rules` are further keys of the zone.
pub fn camera(kind: &str, rules: &str) -> Plan {
    let text = configuration(kind, rules);
    let file = ConfigFile::parse("edge.toml".as_ref(), text).unwrap();
    Plan::for_replay(&file, "cam-05", Input::Detections("looks.jsonl".into())).unwrap()
}

/// The configuration of [`camera`].
pub fn configuration(kind: &str, rules: &str) -> String {
    format!(
        r#"
edge = {{ street = "410102007", box = "box-1" }}
[[camera]]
id = "cam-05"
source = "looks.jsonl"
[[camera.zone]]
id = "place"
kind = "{kind}"
grid = "g1"
polygon = [[0.0, 0.4], [1.0, 0.4], [1.0, 0.98], [0.0, 0.98]]
{rules}
"#
    )
}

/// A core that is shown looks, and what came of them.
pub struct Watch {
    plan: Plan,
    pub judge: Judge,
    pub seconds: f64,
    pub interval: f64,
    pub happenings: Vec<Happening>,
}

impl Watch {
    /// Over a zone of `kind`, five looks a second.
    pub fn over(kind: &str, rules: &str) -> Self {
        let plan = camera(kind, rules);
        let judge = fresh(&plan);
        Self { plan, judge, seconds: 0.0, interval: 0.2, happenings: Vec::new() }
    }

    /// One look each `interval` seconds.
    pub fn each(mut self, interval: f64) -> Self {
        self.interval = interval;
        self
    }

    /// One look at `things`.
    pub fn look(&mut self, view: View, things: &[Thing]) {
        let detections: Vec<Detection> = things
            .iter()
            .map(|&(name, bbox)| Detection { label: self.judge.intern(name).unwrap(), score: 0.8, bbox })
            .collect();
        let at = CaptureTime::default().plus_seconds(self.seconds);
        self.judge.look(&Look { at, view, detections: &detections }, &mut self.happenings);
        self.seconds += self.interval;
    }

    /// Shows the same things for `seconds`.
    pub fn see(&mut self, seconds: f64, things: &[Thing]) -> &mut Self {
        self.film(seconds, |_| things.to_vec())
    }

    /// Shows for `seconds` what `things` gives for the seconds since now.
    pub fn film(&mut self, seconds: f64, things: impl Fn(f64) -> Vec<Thing>) -> &mut Self {
        let from = self.seconds;
        for _ in 0..(seconds / self.interval).round() as u32 {
            self.look(View::Clear, &things(self.seconds - from));
        }
        self
    }

    /// A view that cannot be judged, for `seconds`.
    pub fn blind(&mut self, seconds: f64, view: View) -> &mut Self {
        for _ in 0..(seconds / self.interval).round() as u32 {
            self.look(view, &[]);
        }
        self
    }

    /// No look at all for `seconds`.
    pub fn gap(&mut self, seconds: f64) -> &mut Self {
        self.seconds += seconds;
        self
    }

    /// Stops and starts again from the saved state.
    pub fn restart(&mut self) -> &mut Self {
        let saved = self.judge.save().unwrap();
        self.judge = fresh(&self.plan);
        self.judge.restore(&saved).unwrap();
        self
    }

    /// The kinds of case and what happened to them, in order.
    pub fn story(&self) -> Vec<(&str, Change)> {
        let rules = &self.plan.cameras[0].rules;
        self.happenings.iter().map(|h| (rules[h.case.rule.0].kind.slug.as_str(), h.change)).collect()
    }

    /// When the happenings of `change` were, in seconds.
    pub fn when(&self, change: Change) -> Vec<f64> {
        let second = |h: &Happening| h.at.seconds_since(CaptureTime::default());
        self.happenings.iter().filter(|h| h.change == change).map(second).collect()
    }

    /// Checks that one case of `kind` opened, and how far from `at` seconds; with `cleared` that it cleared.
    pub fn expect_one(&self, kind: &str, at: f64, within: f64, cleared: bool) {
        let changes: &[Change] = if cleared { &[Change::Opened, Change::Cleared] } else { &[Change::Opened] };
        let expected: Vec<_> = changes.iter().map(|&change| (kind, change)).collect();
        assert_eq!(self.story(), expected);
        let opened = self.when(Change::Opened)[0];
        assert!(opened >= at - 1e-6 && opened <= at + within, "opened at {opened} s, expected {at} s");
        assert!(self.happenings.iter().all(|h| h.case.id == self.happenings[0].case.id));
    }
}

pub fn fresh(plan: &Plan) -> Judge {
    Judge::new(&plan.source(), &plan.cameras[0], Vocabulary::default())
}

/// A box of `width` by `height` that stands on the ground at `x`, `foot`.
pub fn standing(x: f32, foot: f32, width: f32, height: f32) -> BBox {
    BBox { x1: x - width / 2.0, y1: foot - height, x2: x + width / 2.0, y2: foot }
}

pub fn person(x: f32, foot: f32) -> Thing {
    ("person", standing(x, foot, 0.04, 0.18))
}
