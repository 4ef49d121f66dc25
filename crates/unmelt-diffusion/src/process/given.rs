//! Parts of a sample that are given: they are clean at every time and stay as they are.

use super::{Prediction, State, Value};

/// For every feature one flag per element: whether it is given. Three flags in a row stand for a point.
pub type Mask = Vec<Vec<bool>>;

/// The given elements of a sample; the values of the others are not looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Given<T> {
    /// Values, clean.
    pub values: State<T>,
    /// Which of them are given.
    pub mask: Mask,
}

impl<T: Copy> Given<T> {
    /// Puts the given values into a state.
    pub fn hold(&self, state: &mut State<T>) {
        hold(state, &self.values, &self.mask);
    }
}

impl Given<f32> {
    /// Puts the given values into a prediction: numbers as they are, classes with probability 1.
    pub fn hold_prediction(&self, prediction: &mut [Prediction<f32>]) {
        for ((value, given), mask) in prediction.iter_mut().zip(&self.values).zip(&self.mask) {
            match (value, given) {
                (Prediction::Continuous(x), Value::Continuous(y)) => copy_where(x, y, mask),
                (Prediction::Probabilities(p), Value::Classes(y)) => {
                    let classes = p.len() / y.len().max(1);
                    let rows = p.chunks_exact_mut(classes.max(1)).zip(y).zip(mask);
                    for ((row, &class), _) in rows.filter(|(_, given)| **given) {
                        row.fill(0.0);
                        row[usize::from(class)] = 1.0;
                    }
                }
                _ => panic!("the given values are not of the features' processes"),
            }
        }
    }
}

/// Copies the values with a flag into a state.
pub(super) fn hold<T: Copy>(state: &mut State<T>, values: &State<T>, mask: &Mask) {
    for ((value, given), mask) in state.iter_mut().zip(values).zip(mask) {
        match (value, given) {
            (Value::Continuous(x), Value::Continuous(y)) => copy_where(x, y, mask),
            (Value::Classes(x), Value::Classes(y)) => copy_where(x, y, mask),
            _ => panic!("the given values are not of the features' processes"),
        }
    }
}

fn copy_where<T: Copy>(to: &mut [T], from: &[T], mask: &[bool]) {
    for ((to, from), _) in to.iter_mut().zip(from).zip(mask).filter(|(_, given)| **given) {
        *to = *from;
    }
}
