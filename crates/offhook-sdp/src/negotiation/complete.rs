//! What an answer makes of our offer (RFC 3264 §7).

use alloc::vec::Vec;

use super::error::NegotiationError;
use super::stream::{Halves, NegotiatedCodec, Stream};
use crate::codec::Codec;
use crate::media::MediaDescription;
use crate::session::SessionDescription;

/// Reads the answer to our offer: one entry an `m=` line, in their order; `None` where the stream
/// is refused or off.
///
/// # Errors
/// [`NegotiationError`] when the answer is none to this offer: other streams, other formats. The
/// call cannot go on then: acknowledge and hang up.
pub fn complete(
    offer: &SessionDescription,
    answer: &SessionDescription,
) -> Result<Vec<Option<Stream>>, NegotiationError> {
    if offer.media.len() != answer.media.len() {
        return Err(NegotiationError::StreamCount);
    }
    let pairs = offer.media.iter().zip(&answer.media).enumerate();
    pairs
        .map(|(index, (ours, theirs))| agree(index, (offer, ours), (answer, theirs)))
        .collect()
}

type Half<'a> = (&'a SessionDescription, &'a MediaDescription);

fn agree(
    index: usize,
    (offer, ours): Half<'_>,
    (answer, theirs): Half<'_>,
) -> Result<Option<Stream>, NegotiationError> {
    if ours.kind != theirs.kind {
        return Err(NegotiationError::StreamMismatch(index));
    }
    // What we switched off stays off, whatever the answer says (RFC 3264 §6). The transport of a
    // refused stream is of no matter either: some peers write another one there.
    if ours.is_disabled() || theirs.is_disabled() {
        return Ok(None);
    }
    if ours.protocol != theirs.protocol {
        return Err(NegotiationError::StreamMismatch(index));
    }
    let codecs = common(&ours.codecs(), &theirs.codecs());
    if codecs.is_empty() {
        return Err(NegotiationError::NoCommonFormat(index));
    }
    let direction = offer
        .direction_of(ours)
        .and(answer.direction_of(theirs).reversed());
    let ptime = ours.ptime();
    let halves = Halves {
        session: answer,
        remote: theirs,
        direction,
        ptime,
        codecs,
    };
    Ok(Some(halves.stream()))
}

/// In the order of the answer; the numbers of each side go their own way (RFC 3264 §6.1).
fn common(ours: &[Codec], theirs: &[Codec]) -> Vec<NegotiatedCodec> {
    let pairs = theirs.iter().filter_map(|theirs| {
        let ours = ours.iter().find(|ours| ours.is_same(theirs))?;
        Some(NegotiatedCodec {
            codec: theirs.clone(),
            send_payload_type: theirs.payload_type(),
            receive_payload_type: ours.payload_type(),
        })
    });
    pairs.collect()
}
