//! What the machines ask the layer to do: they hold no messages themselves.

/// What a step of a client machine asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientAct {
    Nothing,
    /// Send the request again.
    Resend,
    /// Pass the response up.
    Deliver,
    /// Pass the response up as one that belongs to no transaction any more.
    DeliverStray,
    /// Pass the response up and send the CANCEL that was held back.
    DeliverAndCancel,
    /// Pass the response up and acknowledge it.
    DeliverAndAck,
    /// Acknowledge a repeat, which stays hidden.
    Ack,
    /// Send a CANCEL.
    Cancel,
    /// Tell the user that nothing more is awaited.
    TimedOut,
}

impl ClientAct {
    /// Whether the response goes to the user as one of this transaction.
    pub(crate) fn delivers(self) -> bool {
        matches!(
            self,
            Self::Deliver | Self::DeliverAndCancel | Self::DeliverAndAck
        )
    }
}

/// What a step of a server machine asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServerAct {
    Nothing,
    /// Send the last response again.
    Resend,
    /// Send a 100.
    Trying,
    /// Pass the ACK up: it belongs to a 2xx.
    Deliver,
    /// Tell the user that no ACK came.
    AckMissing,
}
