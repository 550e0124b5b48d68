//! URIs: sip, sips and tel taken apart, any other scheme kept (RFC 3261 §19.1, RFC 3966).

pub(crate) mod compare;
pub(crate) mod escape;
pub(crate) mod owned;
pub(crate) mod parts;
pub(crate) mod view;
