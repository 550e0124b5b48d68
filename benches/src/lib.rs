//! Benches only; what was measured stands in `README.md` beside this package.
