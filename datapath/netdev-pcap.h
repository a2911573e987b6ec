/* SPDX-License-Identifier: Apache-2.0 */

/* The netdev class "pcap": receives what is in a capture file, writes what is
 * sent into another.
 *
 *   options:rx_pcap=FILE   packets to receive (none: it only sends)
 *   options:tx_pcap=FILE   file to make for packets sent (none: they vanish)
 *   options:loop=true      starts again at the end (default false)
 *   options:rate=real|max  at the capture's own pace (default), or as fast
 *                          as they are taken
 *   options:tx_format=FORM   of tx_pcap: pcap (with nanoseconds, default),
 *                            pcap-usec or pcapng
 *   options:snaplen=N        at most N bytes of a packet go into tx_pcap
 *
 * Reads all that datapath/pcap-file.h does, compressed or not; of a packet
 * that was cut when it was captured, what there is.  A file that is missing,
 * cut, no capture or not of Ethernet makes set_config fail with a sentence,
 * which the bridge writes into the Interface's error column: the whole file
 * is read once for that.
 *
 * Threads: as any netdev. */

#ifndef DATAPATH_NETDEV_PCAP_H
#define DATAPATH_NETDEV_PCAP_H 1

/* Registers the class; further calls do nothing. */
void dp_netdev_pcap_register(void);

#endif /* datapath/netdev-pcap.h */
