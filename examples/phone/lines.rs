//! The calls of one person: the one that he talks in, and one that waits while he asks somebody else.

use offhook_phone::CallId;

/// The one or two calls of a person.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    current: Option<Line>,
    /// It is on hold, for its person asks somebody else.
    waiting: Option<Line>,
}

#[derive(Clone, Copy, Debug)]
struct Line {
    call: CallId,
    is_answered: bool,
    is_on_hold: bool,
    /// It was begun to ask somebody, while another call waits.
    is_consultation: bool,
}

impl Line {
    const fn new(call: CallId) -> Self {
        Self {
            call,
            is_answered: false,
            is_on_hold: false,
            is_consultation: false,
        }
    }
}

impl Lines {
    /// A call begins.
    pub(crate) const fn begin(&mut self, call: CallId) {
        self.current = Some(Line::new(call));
    }

    /// The call that keys are for.
    pub(crate) fn current(&self) -> Option<CallId> {
        Some(self.current?.call)
    }

    /// Whether that one is answered.
    pub(crate) fn is_talking(&self) -> bool {
        self.current.is_some_and(|line| line.is_answered)
    }

    /// Whether that one is on hold.
    pub(crate) fn is_on_hold(&self) -> bool {
        self.current.is_some_and(|line| line.is_on_hold)
    }

    /// The call that could wait while somebody else is asked.
    pub(crate) fn may_wait(&self) -> Option<CallId> {
        self.current()
            .filter(|_| self.is_talking() && self.waiting.is_none())
    }

    /// Somebody else is asked; the current call waits.
    pub(crate) const fn consult(&mut self, call: CallId) {
        self.waiting = self.current.take();
        self.current = Some(Line {
            is_consultation: true,
            ..Line::new(call)
        });
    }

    /// The call that waits, and the one with who is asked.
    pub(crate) fn pair(&self) -> Option<(CallId, CallId)> {
        Some((self.waiting?.call, self.current?.call))
    }

    /// All calls.
    pub(crate) fn all(&self) -> impl Iterator<Item = CallId> + use<> {
        let lines = [self.current, self.waiting];
        lines.into_iter().flatten().map(|line| line.call)
    }

    fn line(&mut self, call: CallId) -> Option<&mut Line> {
        let mut lines = self.current.iter_mut().chain(&mut self.waiting);
        lines.find(|line| line.call == call)
    }

    /// A call is answered. Whether it is one that was begun to ask somebody.
    pub(crate) fn answered(&mut self, call: CallId) -> bool {
        self.line(call).is_some_and(|line| {
            line.is_answered = true;
            line.is_consultation
        })
    }

    /// A call is on hold, or no longer.
    pub(crate) fn holding(&mut self, call: CallId, is_on_hold: bool) {
        if let Some(line) = self.line(call) {
            line.is_on_hold = is_on_hold;
        }
    }

    /// A call has ended; who waits is the current one again. Whether it was one that was begun to ask
    /// somebody.
    pub(crate) fn ended(&mut self, call: CallId) -> bool {
        let was_consultation = self.line(call).is_some_and(|line| line.is_consultation);
        self.waiting.take_if(|line| line.call == call);
        if self.current.take_if(|line| line.call == call).is_some() {
            self.current = self.waiting.take();
        }
        was_consultation
    }
}
