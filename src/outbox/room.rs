//! Room on the disk: what is given up, and in which order, when the queue has grown to its quota (O4).
//!
//! A box that has been cut off for months must not fill the disk that its own state is on. What costs a person
//! least goes first: clips, which are as large as four pictures and show no more of what stands, the pictures of cases
//! that are over, then the pictures of those that stand, then updates, then all that is left of the oldest cases that
//! are over. That a case stands is never given up: there are only as many as there are places to watch.

use rusqlite::{Transaction, params};

use super::message::Rank;
use super::schema;

/// Rows that one query chooses at a time.
const BATCH: i64 = 64;

/// What was given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Events.
    pub events: u64,
    /// Pictures.
    pub pictures: u64,
}

impl Lost {
    /// Whether nothing was.
    pub fn is_nothing(self) -> bool {
        self == Self::default()
    }
}

/// Each chooses rows of one rank, oldest first, up to a limit. What is known of a clip stays: it is small, and the clip
/// can be asked for again.
const CLIPS: &str = "SELECT id FROM outbox WHERE rank = ?1 AND role = 'clip' ORDER BY id LIMIT ?2";
/// Of a case that is no longer listed only old rows can be
/// left, so it counts as over.
const PICTURES_OF_RESOLVED: &str = "SELECT o.id FROM outbox o LEFT JOIN cases c ON c.case_id = o.case_id
     WHERE o.rank = ?1 AND coalesce(c.resolved, 1) ORDER BY o.id LIMIT ?2";
const OF_RANK: &str = "SELECT id FROM outbox WHERE rank = ?1 ORDER BY id LIMIT ?2";
/// The opened event leaves with the cleared one or not at all: half of a story would be a case that never ends.
const RESOLVED: &str = "SELECT o.id FROM outbox o JOIN cases c ON c.case_id = o.case_id
     WHERE o.rank = ?1 AND c.resolved ORDER BY o.id LIMIT ?2";

/// Gives up rows until the queue takes up at most `quota` bytes, as far as the order above allows.
pub(super) fn make(tx: &Transaction<'_>, quota: u64) -> rusqlite::Result<Lost> {
    let mut lost = Lost::default();
    let stages = [
        (CLIPS, Rank::PICTURE),
        (PICTURES_OF_RESOLVED, Rank::PICTURE),
        (OF_RANK, Rank::PICTURE),
        (OF_RANK, Rank::UPDATE),
        (RESOLVED, Rank::CASE),
    ];
    for (choice, rank) in stages {
        while schema::counter(tx, schema::BYTES)? > quota {
            let chosen: Vec<i64> = tx
                .prepare_cached(choice)?
                .query_map(params![rank.0, BATCH], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            if chosen.is_empty() {
                break;
            }
            for row in chosen {
                if schema::counter(tx, schema::BYTES)? <= quota {
                    break;
                }
                give_up(tx, row, rank, &mut lost)?;
            }
        }
    }
    if !lost.is_nothing() {
        for (name, more) in [(schema::LOST_EVENTS, lost.events), (schema::LOST_PICTURES, lost.pictures)] {
            let before = schema::counter(tx, name)?;
            schema::set_counter(tx, name, before + more)?;
        }
    }
    Ok(lost)
}

/// Takes out `row`; of a case that is over, the events that belong together.
fn give_up(tx: &Transaction<'_>, row: i64, rank: Rank, lost: &mut Lost) -> rusqlite::Result<()> {
    let gone = if rank == Rank::CASE {
        tx.prepare_cached(
            "DELETE FROM outbox WHERE role IS NULL AND case_id = (SELECT case_id FROM outbox WHERE id = ?1)",
        )?
        .execute([row])?
    } else {
        tx.prepare_cached("DELETE FROM outbox WHERE id = ?1")?.execute([row])?
    };
    *if rank == Rank::PICTURE { &mut lost.pictures } else { &mut lost.events } += gone as u64;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{Matter, Message, Outbox};
    use super::Lost;
    use crate::case::CaseId;
    use crate::clock::CaptureTime;
    use crate::evidence::Role;

    const KIB: u64 = 1024;

    fn message(case: &str, matter: Matter, kib: usize) -> Message {
        Message {
            case: CaseId::derive(&[case.as_bytes()]),
            matter,
            recorded: CaptureTime::from_nanos(0),
            topic: case.to_owned(),
            payload: vec![b'.'; kib * 1024],
            content_type: String::new(),
            expiry_s: 60,
            properties: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn put(outbox: &Outbox, case: &str, matter: Matter, kib: usize) {
        outbox.accept("cam", None, |_| Ok(vec![message(case, matter, kib)])).unwrap();
    }

    /// What waits: topic (the case) and whether it is text, in the order of leaving.
    fn left(outbox: &Outbox) -> Vec<(String, usize)> {
        let mut rows = Vec::new();
        while let Some(offer) = outbox.due(std::time::Instant::now(), 1).unwrap().pop() {
            outbox.delivered(&[offer.row]).unwrap();
            rows.push((offer.topic, offer.payload.len() / 1024));
        }
        rows
    }

    #[test]
    fn o4_pictures_go_before_events_and_those_of_cases_that_are_over_first() {
        let outbox = Outbox::in_memory().unwrap().with_quota(100 * KIB);
        let picture = Matter::Picture(Role::Overview);
        put(&outbox, "stands", Matter::Opened, 2);
        put(&outbox, "stands", picture, 40);
        put(&outbox, "over", Matter::Opened, 2);
        put(&outbox, "over", picture, 40);
        put(&outbox, "over", Matter::Cleared, 2);
        put(&outbox, "new", Matter::Opened, 2);
        put(&outbox, "new", picture, 41);
        assert_eq!(outbox.backlog().unwrap().lost, Lost { events: 0, pictures: 1 });
        let names: Vec<(String, usize)> = left(&outbox);
        let expected = [("stands", 2), ("over", 2), ("over", 2), ("new", 2), ("stands", 40), ("new", 41)];
        assert_eq!(names, expected.map(|(name, kib)| (name.to_owned(), kib)));
    }

    #[test]
    fn o4_clips_go_before_pictures_and_what_is_known_of_them_stays() {
        let outbox = Outbox::in_memory().unwrap().with_quota(100 * KIB);
        put(&outbox, "old", Matter::Opened, 2);
        put(&outbox, "old", Matter::Picture(Role::Overview), 20);
        put(&outbox, "old", Matter::Clip, 1);
        put(&outbox, "old", Matter::Picture(Role::Clip), 60);
        put(&outbox, "new", Matter::Opened, 2);
        put(&outbox, "new", Matter::Picture(Role::Overview), 20);
        assert_eq!(outbox.backlog().unwrap().lost, Lost { events: 0, pictures: 1 });
        let expected = [("old", 2), ("new", 2), ("old", 20), ("old", 1), ("new", 20)];
        assert_eq!(left(&outbox), expected.map(|(name, kib)| (name.to_owned(), kib)));
    }

    #[test]
    fn o4_without_pictures_updates_go_and_then_whole_cases_that_are_over_but_never_one_that_stands() {
        let outbox = Outbox::in_memory().unwrap().with_quota(20 * KIB);
        for n in 0..4 {
            put(&outbox, &format!("over-{n}"), Matter::Opened, 2);
            put(&outbox, &format!("over-{n}"), Matter::Cleared, 2);
        }
        put(&outbox, "stands-0", Matter::Opened, 2);
        put(&outbox, "stands-0", Matter::Updated, 3);
        assert_eq!(outbox.backlog().unwrap().lost, Lost { events: 1, pictures: 0 }, "the update");
        for n in 1..12 {
            put(&outbox, &format!("stands-{n}"), Matter::Opened, 2);
        }
        assert_eq!(outbox.backlog().unwrap().lost, Lost { events: 9, pictures: 0 }, "all that were over");
        let expected: Vec<(String, usize)> = (0..12).map(|n| (format!("stands-{n}"), 2)).collect();
        assert_eq!(left(&outbox), expected, "more than the quota, and all of it");
    }
}
