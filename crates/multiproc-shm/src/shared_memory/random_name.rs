//! Names that nobody has.

use crate::ShmError;

/// A name as Python makes them: `psm_` and eight hexadecimal digits.
pub(super) fn random_name() -> Result<String, ShmError> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes)
        .map_err(|err| ShmError::os("choose a name at random")(err.into()))?;
    Ok(format!("psm_{:08x}", u32::from_be_bytes(bytes)))
}
