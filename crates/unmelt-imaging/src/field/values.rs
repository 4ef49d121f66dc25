//! Values on a box of points: a signal, an image or a volume.

/// Values on a box of points, the first axis fastest: a signal of shape [n, 1, 1], an image of [n, m, 1] or a volume.
///
/// ```
/// use unmelt_imaging::Field;
///
/// let image = Field::new(vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0], [3, 2, 1]);
/// assert_eq!((image.dimensions(), image.at([1, 1, 0])), (2, 4.0));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Field<T = f32> {
    values: Vec<T>,
    shape: [usize; 3],
}

/// Borrowed values on a box of points, the first axis fastest.
#[derive(Debug, PartialEq)]
pub struct FieldRef<'a, T = f32> {
    values: &'a [T],
    shape: [usize; 3],
}

impl<T> Clone for FieldRef<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for FieldRef<'_, T> {}

/// The number of points of a shape.
fn points(shape: [usize; 3]) -> usize {
    shape.iter().fold(1, |n, d| n.saturating_mul(*d))
}

impl<T> Field<T> {
    /// Values of a shape.
    ///
    /// # Panics
    /// If the number of values is not the shape's.
    pub fn new(values: Vec<T>, shape: [usize; 3]) -> Self {
        assert_eq!(values.len(), points(shape), "one value per point");
        Self { values, shape }
    }

    /// The values, borrowed.
    pub fn view(&self) -> FieldRef<'_, T> {
        FieldRef { values: &self.values, shape: self.shape }
    }

    /// The values, the first axis fastest.
    pub fn values(&self) -> &[T] {
        &self.values
    }

    /// The values, to be changed.
    pub fn values_mut(&mut self) -> &mut [T] {
        &mut self.values
    }

    /// The values alone.
    pub fn into_values(self) -> Vec<T> {
        self.values
    }

    /// Points along the three axes.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// How many axes have more than one point.
    pub fn dimensions(&self) -> usize {
        self.view().dimensions()
    }

    /// The value at an index.
    ///
    /// # Panics
    /// If the index lies outside.
    pub fn at(&self, index: [usize; 3]) -> T
    where
        T: Copy,
    {
        self.view().at(index)
    }
}

impl<T: Clone> Field<T> {
    /// The same value everywhere.
    pub fn filled(value: T, shape: [usize; 3]) -> Self {
        Self { values: vec![value; points(shape)], shape }
    }
}

impl<'a, T> FieldRef<'a, T> {
    /// Values of a shape.
    ///
    /// # Panics
    /// If the number of values is not the shape's.
    pub fn new(values: &'a [T], shape: [usize; 3]) -> Self {
        assert_eq!(values.len(), points(shape), "one value per point");
        Self { values, shape }
    }

    /// The values, the first axis fastest.
    pub fn values(self) -> &'a [T] {
        self.values
    }

    /// Points along the three axes.
    pub fn shape(self) -> [usize; 3] {
        self.shape
    }

    /// How many axes have more than one point.
    pub fn dimensions(self) -> usize {
        self.shape.iter().filter(|n| **n > 1).count()
    }

    /// The index of each point, in the order of the values.
    pub fn indices(self) -> impl Iterator<Item = [usize; 3]> {
        let [nx, ny, nz] = self.shape;
        (0..nx * ny * nz).map(move |k| [k % nx, k / nx % ny, k / (nx * ny)])
    }

    /// The value at an index.
    ///
    /// # Panics
    /// If the index lies outside.
    pub fn at(self, [x, y, z]: [usize; 3]) -> T
    where
        T: Copy,
    {
        assert!(x < self.shape[0] && y < self.shape[1] && z < self.shape[2], "within the field");
        self.values[(z * self.shape[1] + y) * self.shape[0] + x]
    }
}

impl<T: Copy> FieldRef<'_, T> {
    /// A copy of its own.
    pub fn to_field(self) -> Field<T> {
        Field { values: self.values.to_vec(), shape: self.shape }
    }

    /// The same points with other values.
    pub fn map<U>(self, of: impl Fn(T) -> U) -> Field<U> {
        Field { values: self.values.iter().map(|v| of(*v)).collect(), shape: self.shape }
    }

    /// The box of a size that begins at an index.
    ///
    /// # Panics
    /// If it reaches outside.
    pub fn part(self, start: [usize; 3], size: [usize; 3]) -> Field<T> {
        let [nx, ny, _] = self.shape;
        assert!((0..3).all(|a| start[a] + size[a] <= self.shape[a]), "within the field");
        let mut values = Vec::with_capacity(points(size));
        for z in start[2]..start[2] + size[2] {
            for y in start[1]..start[1] + size[1] {
                values.extend_from_slice(&self.values[(z * ny + y) * nx + start[0]..][..size[0]]);
            }
        }
        Field { values, shape: size }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_what_its_indices_say() {
        let field = Field::new((0..60).collect::<Vec<i32>>(), [3, 4, 5]);
        let part = field.view().part([1, 2, 1], [2, 2, 3]);
        for (index, value) in part.view().indices().zip(part.values()) {
            assert_eq!(*value, field.at([index[0] + 1, index[1] + 2, index[2] + 1]));
        }
        assert_eq!((part.shape(), part.dimensions()), ([2, 2, 3], 3));
        assert_eq!(Field::filled(0.0, [7, 1, 1]).dimensions(), 1);
    }
}
