//! Numbers in as few bytes as they need: LEB128, and only its shortest form.

use alloc::vec::Vec;

use crate::snapshot::delta::DeltaError;

pub(super) fn put(bytes: &mut Vec<u8>, mut number: u32) {
    while number > 0x7f {
        bytes.push(0x80 | number.to_le_bytes().first().copied().unwrap_or(0));
        number >>= 7;
    }
    bytes.push(number.to_le_bytes().first().copied().unwrap_or(0));
}

/// A length, which is that of something in memory and below the limits of a snapshot.
pub(super) fn put_len(bytes: &mut Vec<u8>, length: usize) {
    put(bytes, u32::try_from(length).unwrap_or(u32::MAX));
}

/// Reads from the front; allocates nothing.
pub(super) struct Reader<'b>(pub(super) &'b [u8]);

impl<'b> Reader<'b> {
    pub(super) fn number(&mut self) -> Result<u32, DeltaError> {
        let mut number = 0_u64;
        for place in 0..5 {
            let [byte] = self.array()?;
            number |= u64::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                if byte == 0 && place > 0 {
                    break;
                }
                return u32::try_from(number).map_err(|_| DeltaError::Malformed);
            }
        }
        Err(DeltaError::Malformed)
    }

    pub(super) fn len(&mut self) -> Result<usize, DeltaError> {
        usize::try_from(self.number()?).map_err(|_| DeltaError::Malformed)
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'b [u8], DeltaError> {
        let (front, rest) = self
            .0
            .split_at_checked(count)
            .ok_or(DeltaError::Malformed)?;
        self.0 = rest;
        Ok(front)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], DeltaError> {
        let (front, rest) = self.0.split_first_chunk().ok_or(DeltaError::Malformed)?;
        self.0 = rest;
        Ok(*front)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_one_form() {
        for number in [0, 1, 127, 128, 300, 1 << 21, u32::MAX] {
            let mut bytes = Vec::new();
            put(&mut bytes, number);
            let mut reader = Reader(&bytes);
            assert_eq!((reader.number(), reader.0.len()), (Ok(number), 0));
        }
        let longer: [&[u8]; 6] = [
            &[],
            &[0x80],
            &[0x80, 0],
            &[0x81, 0x80, 0],
            &[0xff, 0xff, 0xff, 0xff, 0x1f],
            &[0x80, 0x80, 0x80, 0x80, 0x80, 1],
        ];
        for bytes in longer {
            assert_eq!(
                Reader(bytes).number(),
                Err(DeltaError::Malformed),
                "{bytes:?}"
            );
        }
    }
}
