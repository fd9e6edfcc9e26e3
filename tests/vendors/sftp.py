"""An SFTP server on loopback over a folder, with the server side of paramiko."""

from __future__ import annotations

import os
import socket
import stat
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

import paramiko


class SftpServer:
    """An SFTP server. Use it as a context manager.

    Attributes:
        folder: whose files it serves under ``/``.
        user, password: of the one who may sign in.
        key: private key of the one who may sign in; None: by password only.
        host_key: the server's own key, ``public_key`` as known hosts write it.
        sign_ins: how often somebody signed in.
        is_silent: whether it accepts connections and says nothing.
        shortens: bytes by which it cuts every file that it sends, though it says the whole size.
    """

    def __init__(self, folder, host_key=None):
        self.folder, self.user, self.password, self.key = folder, "iit", "sftp-password", None
        self.host_key = host_key or paramiko.ECDSAKey.generate()
        self.sign_ins, self.is_silent, self.shortens = 0, False, 0
        self._closing = Event()
        self._transports = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = Thread(target=self._accept, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._closing.set()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for each in self._transports:
            each.close()
        self._thread.join()

    @property
    def public_key(self):
        return f"{self.host_key.get_name()} {self.host_key.get_base64()}"

    @property
    def settings(self):
        place = {"host": "127.0.0.1", "port": self.port, "host_key": self.public_key}
        return {**place, "user": self.user, "password": self.password, "path": "/"}

    def _accept(self):
        while not self._closing.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            if self.is_silent:
                self._transports.append(connection)
                continue
            transport = paramiko.Transport(connection)
            self._transports.append(transport)
            transport.add_server_key(self.host_key)
            transport.set_subsystem_handler("sftp", paramiko.SFTPServer, _Files, self)
            with suppress(paramiko.SSHException, EOFError):
                transport.start_server(Event(), _SignIn(self))


class _SignIn(paramiko.ServerInterface):
    def __init__(self, server):
        self._server = server

    def get_allowed_auths(self, username):
        return "password,publickey"

    def check_auth_password(self, username, password):
        return self._result(self._server.password is not None, username, password == self._server.password)

    def check_auth_publickey(self, username, key):
        return self._result(self._server.key is not None, username, key == self._server.key)

    def check_channel_request(self, kind, chanid):
        return paramiko.OPEN_SUCCEEDED

    def _result(self, offered, username, right):
        if offered and username == self._server.user and right:
            self._server.sign_ins += 1
            return paramiko.AUTH_SUCCESSFUL
        return paramiko.AUTH_FAILED


class _Files(paramiko.SFTPServerInterface):
    def __init__(self, _, server):
        self._server = server

    def _path(self, path):
        return Path(self._server.folder, self.canonicalize(path).lstrip("/"))

    def list_folder(self, path):
        try:
            with os.scandir(self._path(path)) as listing:
                return [
                    paramiko.SFTPAttributes.from_stat(each.stat(follow_symlinks=False), each.name) for each in listing
                ]
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno)

    def stat(self, path):
        try:
            return paramiko.SFTPAttributes.from_stat(self._path(path).stat())
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno)

    lstat = stat

    def open(self, path, flags, attr):
        try:
            descriptor = os.open(self._path(path), os.O_RDONLY)
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno)
        return _Handle(os.fdopen(descriptor, "rb"), self._server)


class _Handle(paramiko.SFTPHandle):
    def __init__(self, file, server):
        super().__init__(0)
        self._file, self._server = file, server

    def close(self):
        self._file.close()

    def stat(self):
        return paramiko.SFTPAttributes.from_stat(os.fstat(self._file.fileno()))

    def read(self, offset, length):
        end = os.fstat(self._file.fileno())[stat.ST_SIZE] - self._server.shortens
        if offset >= end:
            return paramiko.SFTP_EOF
        self._file.seek(offset)
        return self._file.read(min(length, end - offset))
