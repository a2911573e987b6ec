# SPDX-License-Identifier: Apache-2.0
"""What is measured: bvs, Open vSwitch, DPDK's testpmd, programs of our own.

A peer is one process with one polling thread, pinned to CORE; its control
threads run on core 0.  It can be suspended while another one runs.  It counts
what left the output port, and the CPU time that its polling thread got: on a
shared machine packets per second of that are what the switch does, whoever
else runs."""

import atexit
import ctypes
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import time

CORE = 1
HUGE = "/proc/sys/vm/nr_hugepages"
PAGES = 3072
BVS = "bvs"
OVS = "Open vSwitch"


# A packet that belongs to no workload, as a record of a capture.
MARK = b"bench"
N_FIRST = 5000
FIRST = struct.pack("<IIII12xH41x", 0, 0, 60, 60, 0xb588) + MARK

LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1


def die_with_parent():
    """In a child: nothing stays behind, however the parent ends."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def fact(key, text):
    print("# %s: %s" % (key, text), flush=True)


class Memory:
    """Huge pages, given back in the end."""

    def __init__(self):
        self.before = self.read()
        self.eal = []
        atexit.register(self.write, self.before)
        self.write(max(self.before, PAGES))
        if self.read() < 1536:
            self.write(self.before)
            self.eal = ["--no-huge", "-m", "1500"]
        fact("pages", "4 kB for all" if self.eal
             else "2 MB for all, %d of them" % self.read())

    @staticmethod
    def read():
        with open(HUGE) as f:
            return int(f.read())

    @staticmethod
    def write(n):
        with open(HUGE, "w") as f:
            f.write(str(n))


class Broken(Exception):
    """A peer did not do what it was told; one sentence."""


def wait_until(what, condition, secs=30):
    deadline = time.monotonic() + secs
    while not condition():
        if time.monotonic() > deadline:
            raise Broken("waited %d s in vain for %s" % (secs, what))
        time.sleep(0.02)


class Peer:
    """A process."""

    def __init__(self, name, folder):
        self.name = name
        self.folder = os.path.join(folder, re.sub(r"\W", "", name))
        os.makedirs(self.folder)
        self.pid = None
        self.popen = None
        self.thread = None
        self.tid = 0

    def find_thread(self, pattern):
        """Finds the polling thread, which is the one that works."""
        base = "/proc/%d/task" % self.pid

        def find():
            for task in os.listdir(base):
                with open("%s/%s/comm" % (base, task)) as f:
                    if re.match(pattern, f.read()):
                        self.thread = "%s/%s/schedstat" % (base, task)
                        self.tid = int(task)
                        return True
            return False
        wait_until("the polling thread of " + self.name, find)

    def cpu_ns(self):
        with open(self.thread) as f:
            return int(f.read().split()[0])

    def suspend(self):
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self):
        os.kill(self.pid, signal.SIGCONT)

    def sample(self, secs):
        """Packets a second of the thread's CPU time."""
        self.resume()
        time.sleep(0.15)
        packets, cpu = self.packets(), self.cpu_ns()
        time.sleep(secs)
        packets, cpu = self.packets() - packets, self.cpu_ns() - cpu
        self.suspend()
        if not cpu or not packets:
            raise Broken("%s sent %d packets in %d ns of CPU time"
                         % (self.name, packets, cpu))
        return packets * 1e9 / cpu

    def end(self):
        if self.pid:
            for number in (signal.SIGCONT, signal.SIGKILL):
                try:
                    os.kill(self.pid, number)
                except ProcessLookupError:
                    pass
            self.popen.wait()
        self.pid = None
        shutil.rmtree(self.folder, ignore_errors=True)


class Program(Peer):
    """A program that answers a line on its standard input with its count."""

    ask = "count\n"
    answer = re.compile(r"^(\d+)$")
    thread_name = "."

    def start(self, command):
        self.log = open(os.path.join(self.folder, "log"), "w")
        self.popen = subprocess.Popen(
            ["stdbuf", "-oL"] + command, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=self.log, text=True, bufsize=1,
            preexec_fn=die_with_parent)
        self.pid = self.popen.pid
        self.started()
        self.find_thread(self.thread_name)

    def started(self):
        """Called when the process is there."""

    def send(self, text):
        self.popen.stdin.write(text)
        self.popen.stdin.flush()

    def packets(self):
        self.send(self.ask)
        for line in self.popen.stdout:
            match = self.answer.search(line)
            if match:
                return int(match.group(1))
        with open(os.path.join(self.folder, "log")) as f:
            raise Broken("%s ended: %s" % (self.name, f.read()[-300:]))


class Testpmd(Program):
    """The I/O floor: receives, writes a header, sends."""

    ask = "show port stats 1\n"
    answer = re.compile(r"TX-packets: (\d+)")
    thread_name = "(lcore|rte)-worker"

    def __init__(self, folder, pcap, eal, mode="macswap"):
        super().__init__("testpmd " + mode, folder)
        self.start(["dpdk-testpmd", "--no-pci", "-l", "0,%d" % CORE,
                    "--in-memory", "--no-telemetry",
                    "--log-level=error"] + eal +
                   ["--vdev=net_pcap0,rx_pcap=%s,infinite_rx=1" % pcap,
                    "--vdev=net_null0,no-rx=1", "--", "-i", "--nb-cores=1",
                    "--total-num-mbufs=262144", "--forward-mode=" + mode])

    def started(self):
        self.send("start\n")
        self.packets()


class Hand(Program):
    """The hand-written program."""

    thread_name = "(lcore|rte)-worker"

    def __init__(self, program, folder, pcap, eal, args):
        super().__init__("hand-written", folder)
        self.start([program, "--no-pci", "-l", "0,%d" % CORE,
                    "--in-memory", "--no-telemetry",
                    "--log-level=error"] + eal +
                   ["--vdev=net_pcap0,rx_pcap=%s,infinite_rx=1" % pcap,
                    "--vdev=net_null0,no-rx=1", "--"] + args)

    def started(self):
        self.packets()


class OpenFlow:
    """A connection that asks for ports' counters."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(30)
        self.socket.connect(path)
        self.socket.sendall(struct.pack("!BBHI", 4, 0, 8, 1))
        self.xid = 1

    def message(self):
        head = self.take(8)
        _, kind, size, xid = struct.unpack("!BBHI", head)
        return kind, xid, self.take(size - 8)

    def take(self, n):
        data = b""
        while len(data) < n:
            part = self.socket.recv(n - len(data))
            if not part:
                raise Broken("the switch closed its OpenFlow connection")
            data += part
        return data

    def counters(self, port):
        """(received, sent) of a port."""
        self.xid += 1
        body = struct.pack("!HHIII", 4, 0, 0, port, 0)
        self.socket.sendall(struct.pack("!BBHI", 4, 18, 8 + len(body),
                                        self.xid) + body)
        while True:
            kind, xid, body = self.message()
            if kind == 2:           # Echo.
                self.socket.sendall(struct.pack("!BBHI", 4, 3,
                                                8 + len(body), xid) + body)
            elif xid == self.xid:
                if kind != 19 or len(body) < 32:
                    raise Broken("port %d is not there" % port)
                return struct.unpack("!QQ", body[16:32])


class Switch(Peer):
    """bvs or Open vSwitch with a private database and folder, one bridge br0,
    input port 1 and output port 2.  EAL: words for dpdk-extra, or None, which
    leaves DPDK alone.  CONFIG: words for "set open ."."""

    def __init__(self, name, folder, eal, config=()):
        super().__init__(name, folder)
        self.env = dict(os.environ)
        for key in ("RUN", "DB", "LOG", "SYSCONF"):
            self.env["OVS_%sDIR" % key] = self.folder
        self.env["OVS_SYSCONFDIR"] = self.folder
        self.n_devices = 0
        self.server = None
        self.daemon(config)
        sock = self.folder + "/db.sock"
        wait_until("the database of " + name, lambda: os.path.exists(sock))
        extra = ["--no-pci",
                 "--no-telemetry"]
        self.vsctl("set", "open", ".",
                   "other_config:pmd-cpu-mask=%x" % (1 << CORE),
                   "other_config:worker-mode=poll",
                   # A stopped switch shall not forget its flows.
                   "other_config:max-idle=3600000", *config)
        if eal is not None:
            self.vsctl("set", "open", ".",
                       'other_config:dpdk-extra="%s"' % " ".join(extra + eal),
                       "other_config:dpdk-init=true")
            if name != BVS:
                self.vsctl("set", "open", ".",
                           "other_config:dpdk-lcore-mask=0x1")
        self.vsctl("add-br", "br0", "--", "set", "bridge", "br0",
                   "datapath_type=netdev", "fail_mode=secure")
        self.connection = OpenFlow(self.folder + "/br0.mgmt")

    def spawn(self, *command):
        """Starts a daemon on core 0; its pid file is complete in the end."""
        name = os.path.basename(command[0])
        name = name.replace("bvs-", "ovs-")
        with open("%s/%s.out" % (self.folder, name), "w") as out:
            popen = subprocess.Popen(
                ("taskset", "-c", "0") + command
                + ("--pidfile", "--log-file", "-vconsole:off"),
                env=self.env, stdin=subprocess.DEVNULL, stdout=out,
                stderr=out, preexec_fn=die_with_parent)
        path = "%s/%s.pid" % (self.folder, name)
        wait_until(name, lambda: os.path.exists(path)
                   or popen.poll() is not None)
        return popen

    def daemon(self, config):
        if self.name == BVS:
            self.vsctl_name = "bvs-vsctl"
            self.popen = self.spawn("bvs-vswitchd", "--db-file=%s/conf.db"
                                    % self.folder)
            self.pid = self.popen.pid
            return
        self.vsctl_name = "ovs-vsctl"
        schema = "/usr/share/openvswitch/vswitch.ovsschema"
        self.run("ovsdb-tool", "create", self.folder + "/conf.db", schema)
        self.server = self.spawn("ovsdb-server", self.folder + "/conf.db",
                                 "--remote=punix:%s/db.sock" % self.folder)
        wait_until("the database's socket", lambda:
                   os.path.exists(self.folder + "/db.sock"))
        self.run("ovs-vsctl", "--no-wait", "init")
        if config:      # Some of it counts only before the start.
            self.run("ovs-vsctl", "--no-wait", "set", "open", ".", *config)
        # Files are named as the program.
        program = self.folder + "/ovs-vswitchd"
        os.symlink("/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk",
                   program)
        self.popen = self.spawn(program, "unix:%s/db.sock" % self.folder)
        self.pid = self.popen.pid

    def run(self, *command):
        done = subprocess.run(command, env=self.env, text=True, timeout=300,
                              stdin=subprocess.DEVNULL, capture_output=True)
        if done.returncode:
            raise Broken("%s: %s: %s" % (self.name, " ".join(command)[:200],
                                         done.stderr[-300:].strip()))
        return done.stdout

    def vsctl(self, *args):
        return self.run(self.vsctl_name, "--timeout=60", *args)

    def appctl(self, *args):
        return self.run("ovs-appctl", "-t", "ovs-vswitchd", *args)

    def ofctl(self, *args):
        return self.run("ovs-ofctl", *args)

    def add_device(self, number, args):
        """Port NUMBER on a virtual device of DPDK."""
        kind, _, rest = args.partition(",")
        self.n_devices += 1
        name = "p%d" % number
        self.vsctl("add-port", "br0", name, "--", "set", "interface", name,
                   "type=dpdk", "ofport_request=%d" % number,
                   'options:dpdk-devargs="%s%d,%s"'
                   % (kind, self.n_devices, rest))
        error = self.vsctl("get", "interface", name, "error").strip()
        if error not in ("[]", '""'):
            raise Broken("%s: %s: %s" % (self.name, args, error))

    def remove_devices(self):
        self.vsctl("--if-exists", "del-port", "p1", "--", "--if-exists",
                   "del-port", "p2")

    def load(self, folder, pcap):
        """Loads a workload's rules and starts its traffic."""
        self.remove_devices()
        self.ofctl("del-flows", "br0")
        if os.path.exists(folder + "/groups"):
            self.ofctl("-O", "OpenFlow13", "del-groups", "br0")
            self.ofctl("-O", "OpenFlow13", "add-groups", "br0",
                       folder + "/groups")
        self.ofctl("--bundle", "-O", "OpenFlow14", "add-flows", "br0",
                   folder + "/flows")
        self.add_device(2, "net_null,no-rx=1")
        self.add_device(1, "net_pcap,rx_pcap=%s,infinite_rx=1" % pcap)
        self.find_thread("pmd-|bvs-worker")

    def packets(self):
        return self.connection.counters(2)[1]

    def misses(self):
        """Upcalls so far."""
        text = self.appctl("dpif-netdev/pmd-stats-show")
        return [int(n) for n in
                re.findall(r"miss with \w+ upcall: (\d+)", text)]

    def settle(self, quiet_secs, secs):
        """Waits until there were no upcalls for a while; false if that does
        not happen.  bvs has none."""
        self.resume()
        wait_until("the first packet", lambda: self.packets() > 0)
        settled = True
        if self.name != BVS:
            start = last = time.monotonic()
            misses = self.misses()
            while time.monotonic() - last < quiet_secs and settled:
                time.sleep(0.2)
                now = self.misses()
                if now != misses:
                    misses, last = now, time.monotonic()
                    settled = last - start < secs
        self.suspend()
        return settled

    def has_open(self, path):
        base = "/proc/%d/fd/" % self.pid
        return any(os.path.realpath(base + fd) == os.path.realpath(path)
                   for fd in os.listdir(base))

    def pass_once(self, pcap, n):
        """Sends the file's packets through; what came out, sorted: Open
        vSwitch sends a burst flow by flow."""
        out = self.folder + "/out.pcap"
        self.resume()
        self.remove_devices()
        with open(pcap, "rb") as f, open(out + ".none", "wb") as none:
            none.write(f.read(24))
        self.add_device(2, "net_pcap,rx_pcap=%s.none,tx_pcap=%s" % (out, out))
        # Open vSwitch polls a device before its bridge knows the port, and
        # fails: other packets come first, whatever becomes of them.
        with open(pcap, "rb") as f, open(out + ".in", "wb") as extended:
            extended.write(f.read(24))
            extended.write(FIRST * N_FIRST)
            shutil.copyfileobj(f, extended)
        self.add_device(1, "net_pcap,rx_pcap=%s.in" % out)
        wait_until("the packets of " + pcap,
                   lambda: self.connection.counters(1)[0] >= n + N_FIRST,
                   120)
        time.sleep(0.1)
        self.remove_devices()
        wait_until("the end of the capture", lambda: not self.has_open(out))
        with open(out, "rb") as f:
            packets = pcap_packets(f.read())
        os.unlink(out)
        return sorted(p for p in packets if not p.endswith(MARK))

    # Stopped for a second as a whole, Open vSwitch takes it for a revalidation
    # that lasted so long and forgets flows: its polling thread alone makes
    # way.  It gets 0.3% of a core that someone wants, or less.

    def suspend(self):
        if self.name == BVS:
            super().suspend()
        else:
            os.sched_setscheduler(self.tid, os.SCHED_IDLE, os.sched_param(0))

    def resume(self):
        if self.name == BVS:
            super().resume()
        elif self.tid and os.path.exists("/proc/%d/task/%d"
                                         % (self.pid, self.tid)):
            os.sched_setscheduler(self.tid, os.SCHED_OTHER,
                                  os.sched_param(0))

    def end(self):
        if self.server:
            self.server.kill()
            self.server.wait()
        super().end()


def pcap_packets(data):
    """The packets of a classic capture."""
    packets, at = [], 24
    while at < len(data):
        size = struct.unpack_from("<I", data, at + 8)[0]
        packets.append(data[at + 16:at + 16 + size])
        at += 16 + size
    return packets
