//! Which of a network's classes are wanted, and what they are called here.

/// For each class of the network, its number in the model's vocabulary; `None` for one that is ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classes(Vec<Option<u16>>);

impl Classes {
    /// A map from the network's class numbers, in their order.
    pub fn new(numbers: Vec<Option<u16>>) -> Self {
        Self(numbers)
    }

    /// The first `count` classes under their own numbers.
    pub fn all(count: u16) -> Self {
        Self((0..count).map(Some).collect())
    }

    /// The vocabulary's number of the network's class `class`.
    pub fn get(&self, class: usize) -> Option<u16> {
        self.0.get(class).copied().flatten()
    }

    /// The vocabulary's number of a class that the network wrote as a floating-point number.
    pub(super) fn of_number(&self, class: f32) -> Option<u16> {
        // Half a class either way is rounding in a graph of low precision. NaN is in no range.
        if (-0.5..self.0.len() as f32 - 0.5).contains(&class) {
            self.get(class.round().max(0.0) as usize)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_is_no_class_is_none() {
        let classes = Classes::new(vec![Some(0), None, Some(1)]);
        assert_eq!(classes.of_number(0.0), Some(0));
        assert_eq!(classes.of_number(1.0), None, "ignored");
        assert_eq!(classes.of_number(1.998), Some(1));
        for class in [-1.0, 3.0, 2.6, 1e30, f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert_eq!(classes.of_number(class), None, "{class}");
        }
        assert_eq!(Classes::all(2).get(1), Some(1));
        assert_eq!(Classes::all(2).get(2), None);
    }
}
