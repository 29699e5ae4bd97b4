//! Nodes that are not as they should be, for the simulation that has to find it.

use super::ShardNode;
use crate::cluster::{follower, lease};

impl ShardNode {
    /// The same node with a bug.
    #[doc(hidden)]
    pub fn with_faults(
        self,
        of_lease: Option<lease::PlantedFault>,
        of_follower: Option<follower::PlantedFault>,
    ) -> Self {
        let lease = match of_lease {
            Some(fault) => self.lease.with_fault(fault),
            None => self.lease,
        };
        let follower = match of_follower {
            Some(fault) => self.follower.with_fault(fault),
            None => self.follower,
        };
        Self { lease, follower, ..self }
    }

    /// The same node, whose follower keeps fewer bytes of batches.
    #[doc(hidden)]
    pub fn with_buffer_bytes_max(self, bytes_max: usize) -> Self {
        Self { follower: self.follower.with_buffer_bytes_max(bytes_max), ..self }
    }
}
