#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The two programs at the ends of a vchan.

carry.py serve SOCKET FILE...  take connections; each brings one file
carry.py send SOCKET FILE      connect and bring one
carry.py keep SOCKET           take a connection that brings nothing
carry.py hold SOCKET           connect, and stay

The receiver says "?" when it is connected, then the length comes, then the
bytes, and the receiver says "!".  When the connection has ended it prints "left".

The sender waits for both, because vchan-socket-proxy does not look whether there
is data when it has just been connected, nor does it notice that a client has left
if another one comes at once: in either case the two events are one for it.
"""
import os
import socket
import sys

CHUNK = 1 << 16


def take(conn, n):
    while n:
        chunk = conn.recv(min(n, CHUNK))
        if not chunk:
            sys.exit(f"carry.py: {n} bytes are missing")
        n -= len(chunk)
        yield chunk


def serve(path, names):
    s = socket.socket(socket.AF_UNIX)
    s.bind(path)
    s.listen(1)
    print("ready", flush=True)
    for name in names:
        conn, _ = s.accept()
        conn.sendall(b"?")
        length = int.from_bytes(b"".join(take(conn, 8)), "big")
        with open(name, "wb") as f:
            for chunk in take(conn, length):
                f.write(chunk)
        conn.sendall(b"!")
        while conn.recv(1):  # until the other end has left
            pass
        conn.close()
        print("left", flush=True)


def send(path, name):
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    if s.recv(1) != b"?":
        sys.exit("carry.py: nobody is there")
    s.sendall(os.path.getsize(name).to_bytes(8, "big"))
    with open(name, "rb") as f:
        while chunk := f.read(CHUNK):
            s.sendall(chunk)
    if s.recv(1) != b"!":
        sys.exit("carry.py: it did not arrive")


def keep(path):
    s = socket.socket(socket.AF_UNIX)
    s.bind(path)
    s.listen(1)
    print("ready", flush=True)
    conn, _ = s.accept()
    conn.sendall(b"?")
    if conn.recv(1):
        sys.exit("carry.py: something came")
    print("left", flush=True)


def hold(path):
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    if s.recv(1) != b"?":
        sys.exit("carry.py: nobody is there")
    print("held", flush=True)
    s.recv(1)


if sys.argv[1] == "serve":
    serve(sys.argv[2], sys.argv[3:])
elif sys.argv[1] == "send":
    send(sys.argv[2], sys.argv[3])
elif sys.argv[1] == "keep":
    keep(sys.argv[2])
else:
    hold(sys.argv[2])
