//! The numbers that the work is measured by, of a day that is written out.

use super::*;
use gridpatrol::desk::life::RejectReason;
use gridpatrol::desk::rates::{Period, Share};

#[test]
fn a_day_that_is_written_out_gives_its_rates() {
    const MINUTE: Millis = 60_000;
    let street = Street::new();
    let worker = street.person("li", Role::Worker, &[SOUTH, NORTH]);
    let admin = street.person("root", Role::Admin, &[]);
    // Ten cases at ten o'clock; visible: to be answered in 30 minutes, disposed of in three hours.
    for n in 1..=10 {
        let grid = if n <= 6 { SOUTH } else { NORTH };
        street.take_in(&[Told { grid, ..Told::opened(n) }.message()]);
    }
    let cases = street.desk.list(&admin, &Filter::default(), None, 100).unwrap().cases;
    let id = |n: u32| {
        cases
            .iter()
            .find(|case| {
                let seen = street.desk.case(&admin, case.id).unwrap().seen.unwrap();
                seen.case_id == case_id(n)
            })
            .unwrap()
            .id
    };
    let ids: Vec<i64> = (1..=10).map(id).collect();
    let reject = |reason| Action::Reject { reason, note: String::new() };
    street.wait(10 * MINUTE);
    for id in &ids[..4] {
        street.act(&worker, *id, Action::Accept).unwrap();
    }
    street.wait(10 * MINUTE);
    street.act(&worker, ids[4], reject(RejectReason::NotThere)).unwrap();
    street.act(&worker, ids[5], reject(RejectReason::PictureUnclear)).unwrap();
    street.act(&worker, ids[6], Action::Merge { into: ids[7] }).unwrap();
    street.wait(40 * MINUTE);
    street.act(&worker, ids[7], Action::Accept).unwrap(); // an hour: too late to answer
    for id in &ids[..3] {
        street.act(&worker, *id, dispose()).unwrap(); // an hour: on time
    }
    street.wait(180 * MINUTE);
    street.act(&worker, ids[3], dispose()).unwrap(); // four hours: late
    // 7 is accepted and overdue, 8 and 9 were never answered and are overdue.
    let rates = street.desk.rates(&admin, &Period::default()).unwrap();
    let all = &rates.all;
    assert_eq!(all.cases, 9, "the merged one is counted with the other");
    assert_eq!(all.by_origin, [9, 0, 0, 0]);
    assert_eq!((all.open, all.overdue), (7, 3));
    assert_eq!(all.response, Share { part: 6, of: 9 }, "four accepted and two rejected in time");
    assert_eq!(all.disposal, Share { part: 4, of: 7 }, "of all that were not rejected");
    assert_eq!(all.on_time, Share { part: 3, of: 7 });
    assert_eq!(all.precision, Share { part: 5, of: 6 }, "an unclear picture says nothing");
    assert_eq!(all.median_response_ms, Some(10 * MINUTE));
    assert_eq!(all.median_disposal_ms, Some(60 * MINUTE));
    assert_eq!(all.satisfaction, Share::default());
    let grids: Vec<(&str, u64)> = rates.grids.iter().map(|g| (g.name.as_str(), g.cases)).collect();
    assert_eq!(grids, [("南院", 6), ("北院", 3)]);
    assert_eq!(rates.cameras.len(), 1);
    assert_eq!(rates.cameras[0].key, "410102007/box-1/cam-05");
    assert_eq!(rates.days.len(), 1);
    assert_eq!(rates.days[0].key, "2026-11-26");
    let csv = street.desk.rates_csv(&admin, &Period::default()).unwrap();
    assert!(
        csv.lines().nth(1).unwrap().starts_with("all,,,9,9,0,0,0,7,3,6,9,4,3,7,0,0,,5,6,10.0,60.0"),
        "{csv}"
    );
    let before = Period { to: Some(TEN), ..Period::default() };
    assert_eq!(street.desk.rates(&admin, &before).unwrap().all.cases, 0);
    let street = street.reopened();
    assert_eq!(street.desk.rates(&admin, &Period::default()).unwrap(), rates, "the same after a restart");
}

#[test]
fn no_cell_of_the_table_is_a_formula() {
    // What begins with one of these is a formula to a spreadsheet, which may run programs and send what it holds.
    let starts = ["=", "+", "-", "@", "\t", "\r"];
    let grids: String = starts
        .iter()
        .enumerate()
        .map(|(n, start)| {
            format!(
                "[[grid]]\nid = \"{}g{n}\"\nname = {:?}\n",
                if *start == "-" { "-" } else { "" },
                format!("{start}1+cmd|' /C calc'!A0")
            )
        })
        .collect();
    let street = Street::with(&grids);
    let admin = street.person("root", Role::Admin, &[]);
    for n in 0..starts.len() as u32 {
        let mut json = Told::opened(n).json();
        let grid = if starts[n as usize] == "-" { format!("-g{n}") } else { format!("g{n}") };
        json["data"]["grid"]["id"] = json!(grid);
        json["data"]["name"] = json!("=HYPERLINK(\"https://elsewhere.example\")");
        let topic = format!("patrol/v1/{STREET}/box-1/case/{grid}/illegal_parking");
        let taken = street.take_in(&[Incoming { topic, payload: json.to_string().into_bytes().into() }]);
        assert_eq!(taken.events, 1, "{json}");
    }
    let table = street.desk.rates_csv(&admin, &Period::default()).unwrap();
    let mut reader = csv::ReaderBuilder::new().from_reader(table.as_bytes());
    let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let cells = || records.iter().flat_map(csv::StringRecord::iter);
    for cell in cells() {
        assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell:?} in\n{table}");
    }
    for start in starts {
        let guarded = format!("'{start}1+cmd|' /C calc'!A0");
        assert!(cells().any(|cell| cell == guarded), "{guarded:?} in\n{table}");
    }
}
