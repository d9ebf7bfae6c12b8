//! Whose turn is it? Pure: round robin, told by a counter.

/// The place among `count` whose turn is number `turn`, passing over those that `skip` names; `None`
/// when it names them all.
pub fn pick(count: usize, turn: usize, skip: impl Fn(usize) -> bool) -> Option<usize> {
    (0..count).map(|step| (turn % count + step) % count).find(|place| !skip(*place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_go_round() {
        let picks: Vec<_> = (0..7).map(|turn| pick(3, turn, |_| false).unwrap()).collect();
        assert_eq!(picks, [0, 1, 2, 0, 1, 2, 0]);
    }

    #[test]
    fn the_turn_of_a_skipped_place_goes_to_the_next() {
        assert_eq!(pick(3, 1, |place| place == 1), Some(2));
        assert_eq!(pick(3, 2, |place| place == 2), Some(0));
    }

    #[test]
    fn nobody_is_picked_of_none_or_when_all_are_skipped() {
        assert_eq!(pick(0, 5, |_| false), None);
        assert_eq!(pick(3, 5, |_| true), None);
    }

    #[test]
    fn the_counter_may_wrap() {
        assert_eq!(pick(3, usize::MAX, |_| false), Some(usize::MAX % 3));
    }
}
