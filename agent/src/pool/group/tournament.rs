//! Numbered places of which the best is always known.
//!
//! ```text
//!            1: b                 A match a node: its winner is the better of the two below it.
//!        ┌─────┴─────┐            Looking at the best takes one step; a new rank is played from its
//!      2: b        3: c           leaf upwards, until a match ends as it did before.
//!     ┌──┴──┐     ┌──┴──┐
//!     a     b     c     -
//! ```

/// Places with ranks, of which the greatest wins; of equal ones the first.
pub struct Tournament<R> {
    /// By place; as many as a power of two.
    ranks: Vec<Option<R>>,
    /// The winning place of each match, from the final at 1; behind the first round's the places themselves.
    winners: Vec<usize>,
}

impl<R> Default for Tournament<R> {
    fn default() -> Self {
        Self { ranks: Vec::new(), winners: Vec::new() }
    }
}

impl<R: Ord + Copy> Tournament<R> {
    /// The place with the greatest rank, if any has one.
    pub fn best(&self) -> Option<usize> {
        self.winners.get(1).copied().filter(|place| self.ranks[*place].is_some())
    }

    /// Gives a place another rank; with none it can't win.
    pub fn set(&mut self, place: usize, rank: Option<R>) {
        if place >= self.ranks.len() {
            if rank.is_none() {
                return;
            }
            self.grow(place + 1);
        }
        if std::mem::replace(&mut self.ranks[place], rank) == rank {
            return;
        }
        let mut node = (self.ranks.len() + place) / 2;
        while node > 0 {
            let winner = self.winner(node);
            let before = std::mem::replace(&mut self.winners[node], winner);
            if before == winner && winner != place {
                return;
            }
            node /= 2;
        }
    }

    fn winner(&self, node: usize) -> usize {
        let (left, right) = (self.winners[2 * node], self.winners[2 * node + 1]);
        if self.ranks[right] > self.ranks[left] { right } else { left }
    }

    fn grow(&mut self, places: usize) {
        let places = places.next_power_of_two();
        self.ranks.resize(places, None);
        self.winners = vec![0; places];
        self.winners.extend(0..places);
        for node in (1..places).rev() {
            self.winners[node] = self.winner(node);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn of_equal_ranks_the_first_place_wins() {
        let mut tournament = Tournament::default();
        assert_eq!(tournament.best(), None);
        for place in [4, 2, 3] {
            tournament.set(place, Some(7));
        }
        assert_eq!(tournament.best(), Some(2));
        tournament.set(2, None);
        assert_eq!(tournament.best(), Some(3));
    }

    proptest! {
        #[test]
        fn the_best_is_always_known(changes: Vec<(u8, Option<u8>)>) {
            let (mut tournament, mut ranks) = (Tournament::default(), vec![None; 256]);
            for (place, rank) in changes {
                tournament.set(usize::from(place), rank);
                ranks[usize::from(place)] = rank;
                let best = (0..256).rev().max_by_key(|place| ranks[*place]).filter(|place| ranks[*place].is_some());
                prop_assert_eq!(tournament.best(), best);
            }
        }
    }
}
