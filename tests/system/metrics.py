#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Reads metrics as Prometheus does, for metrics.sh.

  metrics.py get URL            parses what URL gives by OpenMetrics 1.0; prints
                                NAME{LABEL="VALUE",...} NUMBER a line
  metrics.py status PORT BYTES  sends BYTES (with escapes); prints the status
  metrics.py hostile PORT       many clients that send and read too little or
                                too much, and meanwhile a good one; prints how
                                many of those there were and were answered
"""

import socket
import sys
import time
import urllib.request

from prometheus_client.openmetrics.parser import \
    text_string_to_metric_families

TYPE = 'application/openmetrics-text; version=1.0.0; charset=utf-8'


def fetch(url):
    with urllib.request.urlopen(url, timeout=20) as answer:
        assert answer.headers['Content-Type'] == TYPE, answer.headers
        text = answer.read().decode()
    return list(text_string_to_metric_families(text))


def get(url):
    names = set()
    for family in fetch(url):
        assert family.documentation and family.type != 'unknown', family
        assert family.name not in names, family.name
        names.add(family.name)
        for s in family.samples:
            labels = ','.join(f'{k}="{v}"' for k, v in s.labels.items())
            print(f'{s.name}{{{labels}}} {s.value:.0f}')


def status(port, data):
    with socket.create_connection(('127.0.0.1', port), 10) as sock:
        sock.sendall(data.encode().decode('unicode_escape').encode('latin1'))
        got = b''
        while True:
            more = sock.recv(65536)
            if not more:
                break
            got += more
    head, _, body = got.partition(b'\r\n\r\n')
    print(head.split()[1].decode(), len(body) > 0)


def hostile(port):
    """Each round: clients that say nothing, half a request, garbage, and that
    never read their answers; then a good one, before they would time out."""
    silent = []
    good = answered = 0
    for _ in range(30):
        for data in (b'', b'GET /met', b'\x00\xff' * 100,
                     b'GET /metrics?rules HTTP/1.1\r\n\r\n' * 50):
            sock = socket.create_connection(('127.0.0.1', port), 10)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            try:
                sock.sendall(data)
            except OSError:
                pass
            silent.append(sock)
        good += 1
        began = time.monotonic()
        answered += len(fetch(f'http://127.0.0.1:{port}/metrics')) > 10
        assert time.monotonic() - began < 20
    for sock in silent:
        sock.close()
    print(good, answered)


if __name__ == '__main__':
    if sys.argv[1] == 'get':
        get(sys.argv[2])
    elif sys.argv[1] == 'status':
        status(int(sys.argv[2]), sys.argv[3])
    else:
        hostile(int(sys.argv[2]))
