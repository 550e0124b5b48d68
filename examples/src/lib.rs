//! The manuals of the programs: `server.md`, `phone.md`, `ladder.md` beside this package.
