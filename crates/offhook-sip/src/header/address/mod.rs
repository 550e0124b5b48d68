//! Addresses: a URI with a display name and parameters (RFC 3261 §20.10).

pub(crate) mod owned;
pub(crate) mod view;
