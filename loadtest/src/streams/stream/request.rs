//! What a client asks for.

use super::Stream;
use crate::{
    h2,
    streams::{group_settings::GroupSettings, observer::Observer, server_wire::Wire},
};
use std::{fmt::Write as _, time::Instant};

impl Stream {
    /// The request of HTTP/1.1.
    pub(in crate::streams) fn request_h1(&self, observer: &mut Observer, group: &GroupSettings) -> String {
        // HTTP/1.0 asks other servers not to chunk their answers.
        let version = if observer.wire == Wire::Tickfan { "1.1" } else { "1.0" };
        let mut request = format!("GET {} HTTP/{version}\r\nhost: {}\r\n", self.path(observer, group), observer.host);
        for (name, value) in self.fields(observer, group) {
            let _ = write!(request, "{name}: {value}\r\n");
        }
        request.push_str("\r\n");
        request
    }

    /// Appends the request of HTTP/2 to `out`; returns its id, or `None` if the connection takes no more.
    pub(in crate::streams) fn request_h2(
        &self,
        observer: &mut Observer,
        group: &GroupSettings,
        client: &mut h2::Client,
        out: &mut Vec<u8>,
    ) -> Option<u32> {
        let path = self.path(observer, group);
        let authority = observer.host.clone();
        let fields = self.fields(observer, group);
        let request = h2::Request { authority: &authority, path: &path, fields: &fields };
        client.request(request, Instant::now(), out)
    }

    fn path(&self, observer: &Observer, group: &GroupSettings) -> String {
        let names: Vec<&str> = self.symbols.iter().map(|&symbol| observer.seen_ticks.name(symbol)).collect();
        let mut path = observer.wire.path(&names);
        if observer.wire == Wire::Tickfan && !group.query.is_empty() {
            path.push('&');
            path.push_str(&group.query);
        }
        path
    }

    /// The fields beside the host.
    fn fields<'a>(&'a self, observer: &'a mut Observer, group: &GroupSettings) -> Vec<(&'a str, &'a str)> {
        let mut fields = vec![("accept", "text/event-stream")];
        if observer.wire == Wire::Tickfan
            && let Some(id) = self.last.as_ref().and_then(|last| last.id())
        {
            fields.push(("last-event-id", id));
            observer.measures.resumed += 1;
        }
        if let Some(decoder) = observer.decoder.as_ref().filter(|_| group.compress) {
            fields.extend([("accept-encoding", "dcz"), ("available-dictionary", decoder.available())]);
        }
        observer.requests += 1;
        let number = observer.requests - 1;
        fields.extend(observer.headers.iter().map(|header| (header.name.as_str(), header.value(number))));
        fields
    }
}
