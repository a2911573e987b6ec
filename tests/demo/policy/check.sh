#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Copy this folder into your repository and run this in your CI: it fails if
# the policy lets through, or keeps back, a packet that it should not.
#
# client.pcap and server.pcap were captured on the two sides of a fetch;
# expect.2.pcap is what may still reach the server.

set -eu
cd "$(dirname "$0")"
exec bvs-replay --flows="${FLOWS:-flows.txt}" \
    --in 1=client.pcap --in 2=server.pcap \
    --expect 2=expect.2.pcap --stats
