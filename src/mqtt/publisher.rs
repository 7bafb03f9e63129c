//! The bookkeeping of acknowledgements: which packet carries which row. A state machine without socket or
//! clock; [`session`](super::session) feeds it.
//!
//! The client library takes a message without saying which packet id it will get. It reports ids in the order
//! in which it took the messages, so a queue of what was handed over gives each id its message.
//!
//! # Invariants
//! - What was handed over first is matched first (`ids_are_matched_in_the_order_of_handing_over`).
//! - Only an acknowledgement with success settles a message as delivered
//!   (`a_refused_message_is_not_delivered`).
//! - A new connection forgets all that is under way, so it is offered again
//!   (`a_new_connection_offers_everything_again`).
//! - An acknowledgement of nothing that is under way changes nothing (`a_stale_acknowledgement_is_ignored`).

use std::collections::{BTreeMap, VecDeque};

use rumqttc::v5::mqttbytes::v5::PubAckReason;

use crate::outbox::RowId;

/// What a packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cargo {
    /// The status; it is not stored, the next one replaces it.
    Status,
    /// The health of a camera; it is not stored, the next one replaces it.
    Health,
    /// An answer to a command, or a picture that one asked for; who asked may ask again.
    Word,
    /// A row of the outbox.
    Row(RowId),
}

/// What an acknowledgement settles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// The broker has it and someone takes it.
    Delivered(Cargo),
    /// The broker took it, but nobody subscribes to the topic.
    NobodyListens(Cargo),
    /// The broker refused it.
    Refused(Cargo, PubAckReason),
    /// Nothing: no such packet is under way.
    Stale,
}

/// Which messages are under way on the current connection.
#[derive(Debug)]
pub struct Publisher {
    most: usize,
    window: usize,
    handed_over: VecDeque<Cargo>,
    under_way: BTreeMap<u16, Cargo>,
}

impl Publisher {
    /// Nothing under way; at most `most` messages at a time.
    pub fn new(most: usize) -> Self {
        Self { most, window: most, handed_over: VecDeque::new(), under_way: BTreeMap::new() }
    }

    /// A new connection stands. `receive_max` is what the broker will take at a time. Whatever was under way is
    /// forgotten: the broker may or may not have it, so it is to be offered again.
    pub fn connected(&mut self, receive_max: Option<u16>) {
        self.window = self.most.min(receive_max.map_or(usize::MAX, usize::from)).max(1);
        self.handed_over.clear();
        self.under_way.clear();
    }

    /// How many more messages may be handed over.
    pub fn room(&self) -> usize {
        self.window.saturating_sub(self.count())
    }

    /// How many messages are under way.
    pub fn count(&self) -> usize {
        self.handed_over.len() + self.under_way.len()
    }

    /// Whether `cargo` is under way.
    pub fn carries(&self, cargo: Cargo) -> bool {
        self.handed_over.contains(&cargo) || self.under_way.values().any(|known| *known == cargo)
    }

    /// `cargo` was handed to the client library.
    pub fn hand_over(&mut self, cargo: Cargo) {
        self.handed_over.push_back(cargo);
    }

    /// The client library has sent a packet with this id. Returns what it carries; `None` when it is a
    /// repetition of a packet that is under way.
    pub fn sent(&mut self, packet: u16) -> Option<Cargo> {
        if self.under_way.contains_key(&packet) {
            return None;
        }
        let cargo = self.handed_over.pop_front()?;
        self.under_way.insert(packet, cargo);
        Some(cargo)
    }

    /// The broker has acknowledged a packet.
    pub fn acknowledged(&mut self, packet: u16, reason: PubAckReason) -> Settled {
        let Some(cargo) = self.under_way.remove(&packet) else { return Settled::Stale };
        match reason {
            PubAckReason::Success => Settled::Delivered(cargo),
            PubAckReason::NoMatchingSubscribers => Settled::NobodyListens(cargo),
            refusal => Settled::Refused(cargo, refusal),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(n: i64) -> Cargo {
        Cargo::Row(RowId(n))
    }

    #[test]
    fn ids_are_matched_in_the_order_of_handing_over() {
        let mut publisher = Publisher::new(16);
        for n in [7, 8, 9] {
            publisher.hand_over(row(n));
        }
        assert_eq!(
            [4, 5, 6].map(|packet| publisher.sent(packet)),
            [Some(row(7)), Some(row(8)), Some(row(9))]
        );
        // A broker may acknowledge in any order.
        assert_eq!(publisher.acknowledged(6, PubAckReason::Success), Settled::Delivered(row(9)));
        assert_eq!(publisher.acknowledged(4, PubAckReason::Success), Settled::Delivered(row(7)));
        assert_eq!(publisher.count(), 1);
    }

    #[test]
    fn a_refused_message_is_not_delivered() {
        let mut publisher = Publisher::new(16);
        publisher.hand_over(row(1));
        publisher.hand_over(row(2));
        publisher.sent(1);
        publisher.sent(2);
        let refused = publisher.acknowledged(1, PubAckReason::NotAuthorized);
        assert_eq!(refused, Settled::Refused(row(1), PubAckReason::NotAuthorized));
        let nobody = publisher.acknowledged(2, PubAckReason::NoMatchingSubscribers);
        assert_eq!(nobody, Settled::NobodyListens(row(2)));
    }

    #[test]
    fn a_new_connection_offers_everything_again() {
        let mut publisher = Publisher::new(16);
        publisher.hand_over(row(1));
        publisher.sent(1);
        publisher.hand_over(row(2));
        publisher.connected(None);
        assert!(!publisher.carries(row(1)) && !publisher.carries(row(2)));
        publisher.hand_over(row(1));
        assert_eq!(publisher.sent(1), Some(row(1)), "ids start anew");
    }

    #[test]
    fn a_stale_acknowledgement_is_ignored() {
        let mut publisher = Publisher::new(16);
        publisher.hand_over(row(1));
        publisher.sent(1);
        publisher.connected(None);
        assert_eq!(publisher.acknowledged(1, PubAckReason::Success), Settled::Stale);
        publisher.hand_over(row(1));
        assert_eq!(publisher.acknowledged(1, PubAckReason::Success), Settled::Stale, "not sent yet");
        publisher.sent(1);
        assert_eq!(publisher.acknowledged(1, PubAckReason::Success), Settled::Delivered(row(1)));
        assert_eq!(publisher.acknowledged(1, PubAckReason::Success), Settled::Stale, "acknowledged twice");
    }

    #[test]
    fn a_repeated_packet_does_not_take_the_place_of_the_next_message() {
        let mut publisher = Publisher::new(16);
        publisher.hand_over(row(1));
        publisher.sent(1);
        publisher.hand_over(row(2));
        assert_eq!(publisher.sent(1), None);
        assert_eq!(publisher.sent(2), Some(row(2)));
    }

    #[test]
    fn no_more_is_under_way_than_the_broker_will_take() {
        let mut publisher = Publisher::new(16);
        publisher.connected(Some(3));
        for n in 0..3 {
            assert!(publisher.room() > 0);
            publisher.hand_over(row(n));
        }
        publisher.sent(1);
        assert_eq!(publisher.room(), 0);
        publisher.acknowledged(1, PubAckReason::Success);
        assert_eq!(publisher.room(), 1);
    }
}
