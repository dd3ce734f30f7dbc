//! An iterator over samples.
use crate::error::Result;
use crate::session::{Sampling, Session};
use crate::view::{Float, Out, View};

const BLOCK: usize = 256;

/// Endless samples of a model: see [`Session::samples`]. Row k is sample `first + k` of the stream, however many are taken.
/// After an error it ends.
///
/// ```
/// # use libnf::Model;
/// let model = Model::new(r#"{"event": 2, "layers": [{"type": "reverse"}]}"#, 1)?;
/// let mut session = model.session(None)?;
/// let rows: Vec<Vec<f64>> = session.samples(7, None).take(10).collect::<Result<_, _>>()?;
/// assert_eq!(rows.concat(), session.sample::<f64>(10, 7, None)?);
/// # Ok::<(), libnf::Error>(())
/// ```
#[derive(Debug)]
pub struct Samples<'s, 'm, T> {
    session: &'s mut Session<'m>,
    how: Sampling,
    context: Option<View<'s>>,
    block: Vec<T>,
    at: usize, // in the block
    block_size: usize,
    failed: bool,
}

impl<'s, 'm, T: Float> Samples<'s, 'm, T> {
    pub(crate) fn new(session: &'s mut Session<'m>, how: Sampling, context: Option<View<'s>>) -> Self {
        // The first block is small, for those who take a few.
        Self { session, how, context, block: Vec::new(), at: 0, block_size: 8, failed: false }
    }
    /// The next row, borrowed until the next call: allocates nothing once its block has its full size.
    pub fn next_row(&mut self) -> Result<&[T]> {
        let columns = self.session.info().event_size;
        if self.at * columns == self.block.len() {
            self.block.resize(self.block_size * columns, T::default());
            let out = Out::new(&mut self.block, &[self.block_size, columns]);
            if let Err(e) = out.and_then(|out| self.session.sample_into(self.how, self.context, out, None)) {
                self.block.clear();
                self.at = 0;
                return Err(e);
            }
            self.how.first = self.how.first.wrapping_add(self.block_size as u64);
            self.block_size = (2 * self.block_size).min(BLOCK);
            self.at = 0;
        }
        self.at += 1;
        Ok(&self.block[(self.at - 1) * columns..self.at * columns])
    }
}

impl<T: Float> Iterator for Samples<'_, '_, T> {
    type Item = Result<Vec<T>>;
    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let row = self.next_row().map(<[T]>::to_vec);
        self.failed = row.is_err();
        Some(row)
    }
}
impl<T: Float> std::iter::FusedIterator for Samples<'_, '_, T> {}
