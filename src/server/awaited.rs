//! The body of a request on its way.

use super::places::Place;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::{
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

/// A body whose connection may have to give way until it has come whole. What drips in gives it no more time.
pub(super) struct Awaited<B> {
    body: B,
    place: Arc<Place>,
    is_awaited: bool,
}

impl<B> Awaited<B> {
    pub(super) fn new(body: B, place: Arc<Place>) -> Self {
        Self { body, place, is_awaited: false }
    }

    /// The wait is over.
    fn has_come(&mut self) {
        if mem::take(&mut self.is_awaited) {
            self.place.request();
        }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Awaited<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        match &frame {
            Poll::Pending if !self.is_awaited => {
                self.is_awaited = true;
                self.place.awaits_body();
            }
            Poll::Ready(None | Some(Err(_))) => self.has_come(),
            _ => {}
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B> Drop for Awaited<B> {
    fn drop(&mut self) {
        self.has_come();
    }
}
