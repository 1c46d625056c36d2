"""What every script shares: the keys, how they expire, and how a script is called.

Each takes the keys' prefix first and may be sent again after a lost reply: it then finds its work done. Keys, all of
which expire:

==================  =====================================================================================
``m:ID``            hash: epoch, tail, node, info, ids, owner, and where they apply ending, stop, claim, names,
                    taken (the tail at which another node took it over)
``s:ID``            stream: the frames, one entry each; entry ``N-0`` is frame N
``leases``          sorted set: streams that are being written, by the time at which their lease ends (Redis' clock)
``o:OWNER``         sorted set: streams of one owner by the time of their creation
``n:NAME``          the stream that its owner calls so; owner and name are hashed together
``c:CLAIM``         the stream that has a claim, and its fingerprint
``w:ID``, ``stop``  channels: there is more to read; somebody wants a stream stopped
==================  =====================================================================================

Keys are built inside the scripts, so they need one server (with replicas): Redis Cluster is not supported.
"""

from __future__ import annotations

import hashlib
from typing import TypeAlias

Argument: TypeAlias = bytes | str | int | float
Command: TypeAlias = tuple[Argument, ...]

_SHARED = """
local p = ARGV[1]
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
-- Let everything that belongs to a stream expire in ms milliseconds.
local function expire(id, ms)
  local meta = p .. 'm:' .. id
  redis.call('PEXPIRE', meta, ms)
  redis.call('PEXPIRE', p .. 's:' .. id, ms)
  local held = redis.call('HMGET', meta, 'claim', 'names', 'owner')
  local keys = {}
  if held[1] then keys[1] = p .. 'c:' .. held[1] end
  for name in string.gmatch(held[2] or '', '%S+') do keys[#keys + 1] = p .. 'n:' .. name end
  for _, key in ipairs(keys) do
    local value = redis.call('GET', key)
    if value and string.match(value, '^%S+') == id then redis.call('PEXPIRE', key, ms) end
  end
  if held[3] and redis.call('PTTL', p .. 'o:' .. held[3]) < tonumber(ms) then
    redis.call('PEXPIRE', p .. 'o:' .. held[3], ms)
  end
end
local function name(id, names, live, fresh)
  local meta = p .. 'm:' .. id
  local held = redis.call('HGET', meta, 'names') or ''
  for _, one in ipairs(names) do
    if fresh then redis.call('SET', p .. 'n:' .. one, id, 'PX', live)
    else redis.call('SET', p .. 'n:' .. one, id, 'PX', live, 'NX') end
    if not string.find(held, one, 1, true) then held = held .. ' ' .. one end
  end
  redis.call('HSET', meta, 'names', held)
end
"""


class Script:
    """A script and the hash that calls it."""

    def __init__(self, body: str) -> None:
        self.text = _SHARED + body
        self.sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()

    def __call__(self, *arguments: Argument) -> Command:
        """Return the command that runs it."""
        return ("EVALSHA", self.sha, 0, *arguments)
