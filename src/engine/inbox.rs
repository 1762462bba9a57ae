//! Commands that wait for the session. Of those that only the newest counts of, older ones are dropped. Knows the protocol only.

use super::platform::Files;
use crate::protocol::{Command, Picture};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// A command and the files that came with it.
pub type Letter = (Command, Option<Files>);

/// A queue with two ends: clones are the same one.
#[derive(Clone, Default, Debug)]
pub struct Inbox(Rc<RefCell<Inner>>);

#[derive(Default, Debug)]
struct Inner {
    letters: VecDeque<Letter>,
    waker: Option<Waker>,
}

/// Whether `later` makes `earlier` pointless. A script's own input is never dropped: it waits for its answer.
fn replaces(later: &Command, earlier: &Command) -> bool {
    match (later, earlier) {
        (Command::Show { .. }, Command::Show { picture, .. }) => !matches!(picture, Picture::Raw(_)),
        (Command::Paint { canvas: later, .. }, Command::Paint { canvas, .. }) => later == canvas,
        (Command::Configure(_), Command::Configure(_)) | (Command::Alter(_), Command::Alter(_)) => true,
        (Command::Inquire { .. }, Command::Inquire { .. }) => true,
        (Command::Abandon { request }, Command::Inquire { request: earlier, .. }) => earlier <= request,
        _ => false,
    }
}

impl Inbox {
    /// Adds a command.
    pub fn push(&self, command: Command, files: Option<Files>) {
        let mut inner = self.0.borrow_mut();
        inner.letters.retain(|(earlier, _)| !replaces(&command, earlier));
        inner.letters.push_back((command, files));
        if let Some(waker) = inner.waker.take() {
            waker.wake();
        }
    }

    /// The next command, if one is there.
    pub fn take(&self) -> Option<Letter> {
        self.0.borrow_mut().letters.pop_front()
    }

    /// Whether a command is there.
    pub fn is_waiting(&self) -> bool {
        !self.0.borrow().letters.is_empty()
    }

    /// Ready once a command is there.
    pub fn poll(&self, cx: &mut std::task::Context<'_>) -> Poll<()> {
        let mut inner = self.0.borrow_mut();
        if inner.letters.is_empty() {
            inner.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newest_drawing_waits() {
        let inbox = Inbox::default();
        let show = |generation, picture| inbox.push(Command::Show { generation, picture }, None);
        show(1, Picture::Empty);
        show(2, Picture::Raw(vec![1.0]));
        inbox.push(Command::Pause, None);
        show(3, Picture::Sample(4));
        show(4, Picture::Sample(5));
        let left: Vec<Command> = std::iter::from_fn(|| inbox.take()).map(|(c, _)| c).collect();
        let shown = |generation, picture| Command::Show { generation, picture };
        assert_eq!(left, [shown(2, Picture::Raw(vec![1.0])), Command::Pause, shown(4, Picture::Sample(5))]);
    }
}
