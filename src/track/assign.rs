//! The assignment problem: which detection belongs to which track or slot.

/// Rows and columns that every problem has room for from the first on: a street with more is rare, and one that fills up
/// by and by asks for no memory on the way there.
const ROOM: usize = 64;

/// Finds the pairing of rows and columns with the greatest total gain. Keeps its buffers, so a warm solver
/// allocates nothing.
#[derive(Clone, Debug, Default)]
pub struct Assignment {
    gain: Vec<f32>,
    rows: usize,
    columns: usize,
    // How many others each row and each column could be paired with, and the last such column of each row.
    row_choices: Vec<usize>,
    column_choices: Vec<usize>,
    last_choice: Vec<usize>,
    // Rows and columns that have a choice.
    open_rows: Vec<usize>,
    open_columns: Vec<usize>,
    // Potentials and the augmenting path of the Hungarian method; index 0 is the method's dummy.
    row_potential: Vec<f32>,
    column_potential: Vec<f32>,
    row_of: Vec<usize>,
    previous: Vec<usize>,
    slack: Vec<f32>,
    visited: Vec<bool>,
    pairs: Vec<(usize, usize)>,
}

impl Assignment {
    /// Starts a problem of `rows` by `columns` in which no pair gains anything.
    pub fn start(&mut self, rows: usize, columns: usize) {
        (self.rows, self.columns) = (rows, columns);
        refill(&mut self.gain, rows * columns, 0.0, ROOM * ROOM);
        refill(&mut self.row_choices, rows, 0, ROOM);
        refill(&mut self.column_choices, columns, 0, ROOM);
        refill(&mut self.last_choice, rows, 0, ROOM);
    }

    /// Lets `row` and `column` pair up with `gain`, once for each two. Only a positive, finite gain makes a pair.
    pub fn set(&mut self, row: usize, column: usize, gain: f32) {
        let gain = if gain.is_finite() { gain.max(0.0) } else { 0.0 };
        self.gain[row * self.columns + column] = gain;
        if gain > 0.0 {
            self.row_choices[row] += 1;
            self.column_choices[column] += 1;
            self.last_choice[row] = column;
        }
    }

    /// The pairs `(row, column)` with a positive gain that together gain most, in row order.
    ///
    /// The Hungarian method with potentials (Kuhn 1955, Munkres 1957, in the O(rows² columns) form of
    /// Jonker and Volgenant 1987), on costs `-gain`, for what has a choice.
    pub fn solve(&mut self) -> &[(usize, usize)] {
        self.pairs.clear();
        self.pairs.reserve(ROOM);
        self.pair_without_choice();
        if self.open_rows.is_empty() || self.open_columns.is_empty() {
            return &self.pairs;
        }
        // The method wants at least as many columns as rows; work on the transpose otherwise.
        let (rows, columns) = (self.open_rows.len(), self.open_columns.len());
        let transposed = rows > columns;
        let (n, m) = if transposed { (columns, rows) } else { (rows, columns) };
        refill(&mut self.row_potential, n + 1, 0.0, ROOM + 1);
        refill(&mut self.column_potential, m + 1, 0.0, ROOM + 1);
        refill(&mut self.row_of, m + 1, 0, ROOM + 1);
        for row in 1..=n {
            self.augment(row, m, transposed);
        }
        for column in 1..=m {
            let row = self.row_of[column];
            if row > 0 {
                let (r, c) = self.open_pair(row, column, transposed);
                if self.gain[r * self.columns + c] > 0.0 {
                    self.pairs.push((r, c));
                }
            }
        }
        self.pairs.sort_unstable();
        &self.pairs
    }

    /// Pairs rows and columns that can be paired with each other only, as most on a street can, and lists what is left
    /// and can be paired at all.
    fn pair_without_choice(&mut self) {
        self.open_rows.clear();
        self.open_columns.clear();
        self.open_rows.reserve(ROOM);
        self.open_columns.reserve(ROOM);
        for row in 0..self.rows {
            let column = self.last_choice[row];
            if self.row_choices[row] == 1 && self.column_choices[column] == 1 {
                self.pairs.push((row, column));
                self.column_choices[column] = 0;
            } else if self.row_choices[row] > 0 {
                self.open_rows.push(row);
            }
        }
        let choices = &self.column_choices;
        self.open_columns.extend((0..self.columns).filter(|&column| choices[column] > 0));
    }

    /// Row and column number of what the method calls `row` and `column`, from 1.
    fn open_pair(&self, row: usize, column: usize, transposed: bool) -> (usize, usize) {
        let (row, column) = if transposed { (column, row) } else { (row, column) };
        (self.open_rows[row - 1], self.open_columns[column - 1])
    }

    /// Adds `row` (from 1) to the matching along a cheapest augmenting path.
    fn augment(&mut self, row: usize, m: usize, transposed: bool) {
        refill(&mut self.slack, m + 1, f32::INFINITY, ROOM + 1);
        refill(&mut self.visited, m + 1, false, ROOM + 1);
        refill(&mut self.previous, m + 1, 0, ROOM + 1);
        self.row_of[0] = row;
        let mut column = 0;
        loop {
            self.visited[column] = true;
            let at_row = self.row_of[column];
            let mut delta = f32::INFINITY;
            let mut next = 0;
            for j in 1..=m {
                if self.visited[j] {
                    continue;
                }
                let (r, c) = self.open_pair(at_row, j, transposed);
                let gain = self.gain[r * self.columns + c];
                let reduced = -gain - self.row_potential[at_row] - self.column_potential[j];
                if reduced < self.slack[j] {
                    self.slack[j] = reduced;
                    self.previous[j] = column;
                }
                if self.slack[j] < delta {
                    delta = self.slack[j];
                    next = j;
                }
            }
            for j in 0..=m {
                if self.visited[j] {
                    self.row_potential[self.row_of[j]] += delta;
                    self.column_potential[j] -= delta;
                } else {
                    self.slack[j] -= delta;
                }
            }
            column = next;
            if self.row_of[column] == 0 {
                break;
            }
        }
        while column != 0 {
            let back = self.previous[column];
            self.row_of[column] = self.row_of[back];
            column = back;
        }
    }
}

fn refill<T: Clone>(buffer: &mut Vec<T>, len: usize, value: T, room: usize) {
    buffer.clear();
    buffer.reserve(room.max(len));
    buffer.resize(len, value);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn solve(gains: &[Vec<f32>]) -> Vec<(usize, usize)> {
        let mut problem = Assignment::default();
        problem.start(gains.len(), gains.first().map_or(0, Vec::len));
        for (row, line) in gains.iter().enumerate() {
            for (column, &gain) in line.iter().enumerate() {
                problem.set(row, column, gain);
            }
        }
        problem.solve().to_vec()
    }

    #[test]
    fn the_best_total_wins_over_the_best_single_pair() {
        // Greedy would take 0.9 and leave 0.1; the best total is 0.8 + 0.7.
        assert_eq!(solve(&[vec![0.9, 0.8], vec![0.7, 0.1]]), [(0, 1), (1, 0)]);
    }

    #[test]
    fn nothing_is_paired_without_gain() {
        assert_eq!(solve(&[vec![0.0, f32::NAN], vec![0.0, 0.5]]), [(1, 1)]);
        assert_eq!(solve(&[]), []);
    }

    /// The best total by trying every pairing.
    fn brute_force(gains: &[Vec<f32>], row: usize, used: &mut Vec<bool>) -> f32 {
        if row == gains.len() {
            return 0.0;
        }
        let mut best = brute_force(gains, row + 1, used);
        for column in 0..used.len() {
            if !used[column] && gains[row][column] > 0.0 {
                used[column] = true;
                best = best.max(gains[row][column] + brute_force(gains, row + 1, used));
                used[column] = false;
            }
        }
        best
    }

    proptest! {
        #[test]
        fn no_pairing_gains_more(
            rows in 1..6usize,
            columns in 1..6usize,
            seed in prop::collection::vec(prop_oneof![2 => Just(0.0f32), 1 => 0.01f32..1.0], 25),
        ) {
            let gains: Vec<Vec<f32>> =
                (0..rows).map(|r| (0..columns).map(|c| seed[r * 5 + c]).collect()).collect();
            let pairs = solve(&gains);
            let total: f32 = pairs.iter().map(|&(r, c)| gains[r][c]).sum();
            let best = brute_force(&gains, 0, &mut vec![false; columns]);
            prop_assert!((total - best).abs() < 1e-4, "{total} of {best}");
        }
    }
}
