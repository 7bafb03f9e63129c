#!/usr/bin/python3
"""An RTSP server on loopback that serves files as if they were cameras.

usage: rtsp_server.py PORT [--sets-in-sdp] [--login METHOD:USER:PASSWORD] NAME=FILE...

--sets-in-sdp: parameter sets stand in the session's description and never in the stream.
METHOD is basic or digest. FILE is an .mp4 or .ts with one H.264 or H.265 track; H.265 if its name has `hevc` in it.
Each client gets the file from its beginning, at its own pace. Prints `ready` when it listens.
Needs Debian's own Python: python3-gi, gir1.2-gst-rtsp-server-1.0, gstreamer1.0-plugins-{base,good,bad}.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

Gst.init(None)
port, arguments = sys.argv[1], sys.argv[2:]
server = GstRtspServer.RTSPServer.new()
server.set_address("127.0.0.1")
server.set_service(port)
server.set_backlog(64)

# Seconds between parameter sets in the stream: -1 is at each key picture, 0 is never.
interval = -1
if arguments and arguments[0] == "--sets-in-sdp":
    interval, arguments = 0, arguments[1:]

permissions = None
if arguments and arguments[0] == "--login":
    method, user, password = arguments[1].split(":", 2)
    arguments = arguments[2:]
    auth = GstRtspServer.RTSPAuth.new()
    token = GstRtspServer.RTSPToken.new()
    token.set_string("media.factory.role", "viewer")
    if method == "basic":
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.BASIC)
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    else:
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        auth.add_digest(user, password, token)
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions.new()
    permissions.add_role("viewer")
    for right in ("media.factory.access", "media.factory.construct"):
        permissions.add_permission_for_role("viewer", right, True)

for argument in arguments:
    name, path = argument.split("=", 1)
    codec = "h265" if "hevc" in path.rsplit("/", 1)[-1] else "h264"
    demux = "tsdemux" if path.endswith(".ts") else "qtdemux"
    factory = GstRtspServer.RTSPMediaFactory.new()
    factory.set_launch(
        f"( filesrc location={path} ! {demux} ! {codec}parse config-interval={interval}"
        f" ! rtp{codec}pay name=pay0 pt=96 config-interval={interval} )"
    )
    if permissions:
        factory.set_permissions(permissions)
    server.get_mount_points().add_factory("/" + name, factory)

if server.attach(None) == 0:
    sys.exit(f"cannot listen on port {port}")
print("ready", flush=True)
GLib.MainLoop().run()
