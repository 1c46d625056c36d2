"""What Redis decides by itself, atomically: the scripts behind every change of a stream. The keys are in lua.py."""

from __future__ import annotations

from tailrace.log.redis.lua import Script

OWNED = 1000
"""Most streams in an owner's list: the oldest leave it. Lists are for people; a thousand lines are 300 KB."""

STORED, UNKNOWN, FENCED, GAP = 0, 1, 2, 3
"""What `APPEND` says of each log: done; Redis has no such stream; it is no longer ours; Redis has less than we said."""

BEGIN = Script(
    """
-- prefix, live ms, lease ms, 'new' or 'again', id, epoch, node, info, ids, owner, created, claim, fingerprint,
-- longest list, name ...
-- Begin a stream, or ('again') write down anew one that Redis has forgotten while its writer had not.
local live, lease, new, id, epoch = ARGV[2], tonumber(ARGV[3]), ARGV[4] == 'new', ARGV[5], ARGV[6]
local meta, owner, claim = p .. 'm:' .. id, p .. 'o:' .. ARGV[10], p .. 'c:' .. ARGV[12]
local there = redis.call('HGET', meta, 'node')
if there then return { there == ARGV[7] and 'begun' or 'taken', id } end
if new and ARGV[12] ~= '' then
  local held, fingerprint = string.match(redis.call('GET', claim) or '', '^(%S+) (.*)$')
  if held and redis.call('EXISTS', p .. 'm:' .. held) == 1 then
    return { fingerprint == ARGV[13] and 'held' or 'mismatch', held }
  end
end
redis.call('DEL', p .. 's:' .. id)
redis.call('HSET', meta, 'epoch', epoch, 'tail', 0, 'node', ARGV[7], 'info', ARGV[8], 'ids', ARGV[9], 'owner', ARGV[10])
if ARGV[12] ~= '' then
  redis.call('HSET', meta, 'claim', ARGV[12])
  if new then redis.call('SET', claim, id .. ' ' .. ARGV[13])
  else redis.call('SET', claim, id .. ' ' .. ARGV[13], 'NX') end
end
local names = {}
for i = 15, #ARGV do names[#names + 1] = ARGV[i] end
name(id, names, live, new)
redis.call('ZADD', p .. 'leases', now() + lease, id)
redis.call('PEXPIRE', p .. 'leases', live)
redis.call('ZADD', owner, ARGV[11], id)
redis.call('ZREMRANGEBYRANK', owner, 0, -1 - tonumber(ARGV[14]))
expire(id, live)
return { 'begun', id }
"""
)

APPEND = Script(
    """
-- prefix, live ms, then for each log: id, epoch, first, ending, ttl ms, names, frames, name ..., frame ...
local live, at, out = ARGV[2], 3, {}
while ARGV[at] do
  local id, epoch, first, ending, ttl = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2]), ARGV[at + 3], ARGV[at + 4]
  local names, frames = tonumber(ARGV[at + 5]), tonumber(ARGV[at + 6])
  local from = at + 7 + names
  local meta, stream, code = p .. 'm:' .. id, p .. 's:' .. id, 0
  local held = redis.call('HMGET', meta, 'epoch', 'tail', 'ending')
  local tail, last = tonumber(held[2] or 0), first + frames - 1
  if not held[1] then code = 1
  elseif held[1] ~= epoch then code = 2
  elseif held[3] then
    -- The same close a second time is a lost reply; anything else comes too late.
    if tail ~= last or (ending ~= '' and ending ~= held[3]) then code = 2 end
  elseif tail < first - 1 then code = 3
  else
    for i = math.max(0, tail - first + 1), frames - 1 do
      redis.call('XADD', stream, (first + i) .. '-0', 'f', ARGV[from + i])
    end
    if tail == 0 and last > 0 then redis.call('PEXPIRE', stream, live) end
    if last > tail then
      tail = last
      redis.call('HSET', meta, 'tail', tail)
    end
    if names > 0 then
      local called = {}
      for i = 1, names do called[i] = ARGV[at + 6 + i] end
      name(id, called, live, true)
    end
    if ending ~= '' then
      redis.call('HSET', meta, 'ending', ending)
      redis.call('ZREM', p .. 'leases', id)
      expire(id, ttl)
    end
    if frames > 0 or ending ~= '' then redis.call('PUBLISH', p .. 'w:' .. id, tail) end
  end
  out[#out + 1] = code
  out[#out + 1] = tail
  at = from + frames
end
return out
"""
)

READ = Script(
    """
-- prefix, then for each stream: id, after, bytes. Returns for each {} when it is unknown, else
-- { epoch, tail, ending, taken, ids, info ('' but from the beginning), number of the first frame, frame ... }
local out = {}
for at = 2, #ARGV, 3 do
  local id, after, room = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local held = redis.call('HMGET', p .. 'm:' .. id, 'epoch', 'tail', 'ending', 'taken', 'ids', 'info')
  local one = {}
  if held[1] then
    local tail, number = tonumber(held[2]), after + 1
    one = { held[1], tail, held[3] or '', held[4] or '', held[5], after == 0 and held[6] or '', number }
    while number <= tail and room > 0 do
      local page = redis.call('XRANGE', p .. 's:' .. id, number .. '-0', '+', 'COUNT', 64)
      if #one == 7 then one[7] = page[1] and tonumber(string.match(page[1][1], '^%d+')) or tail + 1 end
      if #page == 0 then break end
      for _, entry in ipairs(page) do
        if room <= 0 then break end
        one[#one + 1] = entry[2][2]
        room = room - #entry[2][2]
        number = tonumber(string.match(entry[1], '^%d+')) + 1
      end
    end
  end
  out[#out + 1] = one
end
return out
"""
)

RENEW = Script(
    """
-- prefix, lease ms, live ms (0: leave the expiry), then for each log: id, epoch, tail, ending or ''.
-- Returns id and what is the matter, for those where something is: 'unknown', 'fenced', 'short' (it has less), 'stop'.
local deadline, out = now() + tonumber(ARGV[2]), {}
for at = 4, #ARGV, 4 do
  local id = ARGV[at]
  local held = redis.call('HMGET', p .. 'm:' .. id, 'epoch', 'ending', 'stop', 'tail')
  local found = not held[1] and 'unknown' or held[1] ~= ARGV[at + 1] and 'fenced'
  if not found and (tonumber(held[4]) < tonumber(ARGV[at + 2]) or (ARGV[at + 3] ~= '' and not held[2])) then
    found = 'short'
  end
  if not found and held[3] then found = 'stop' end
  if found then
    out[#out + 1] = id
    out[#out + 1] = found
  end
  if held[1] == ARGV[at + 1] and not held[2] then
    redis.call('ZADD', p .. 'leases', deadline, id)
    if ARGV[3] ~= '0' then expire(id, ARGV[3]) end
  end
end
if ARGV[3] ~= '0' then redis.call('PEXPIRE', p .. 'leases', ARGV[3]) end
return out
"""
)

OVERDUE = Script(
    """
-- prefix, limit. Returns id, epoch and deadline of streams whose lease is over.
local out = {}
local found = redis.call('ZRANGEBYSCORE', p .. 'leases', '-inf', now(), 'WITHSCORES', 'LIMIT', 0, tonumber(ARGV[2]))
for i = 1, #found, 2 do
  local held = redis.call('HMGET', p .. 'm:' .. found[i], 'epoch', 'ending')
  if not held[1] or held[2] then redis.call('ZREM', p .. 'leases', found[i])
  else
    out[#out + 1] = found[i]
    out[#out + 1] = held[1]
    out[#out + 1] = found[i + 1]
  end
end
return out
"""
)

TAKE = Script(
    """
-- prefix, lease ms, id, epoch, deadline, node. Become the writer of a stream whose lease is over and unchanged.
local id, meta = ARGV[3], p .. 'm:' .. ARGV[3]
local held = redis.call('HMGET', meta, 'epoch', 'ending', 'node', 'tail', 'stop', 'claim')
local score = redis.call('ZSCORE', p .. 'leases', id)
if held[1] ~= ARGV[4] or held[2] or not score or score ~= ARGV[5] then return {} end
redis.call('HINCRBY', meta, 'epoch', 1)
redis.call('HSET', meta, 'node', ARGV[6], 'taken', held[4])
redis.call('ZADD', p .. 'leases', now() + tonumber(ARGV[2]), id)
if held[6] and held[4] == '0' then
  -- Nothing was said: a retry with the same claim must be able to do better than to join it.
  local claim = p .. 'c:' .. held[6]
  if string.match(redis.call('GET', claim) or '', '^%S+') == id then redis.call('DEL', claim) end
end
return { held[1] + 1, held[5] and 'cancelled' or 'interrupted' }
"""
)

STOP = Script(
    """
-- prefix, id. Write the wish down, then tell.
local meta = p .. 'm:' .. ARGV[2]
if redis.call('EXISTS', meta) == 1 then redis.call('HSET', meta, 'stop', 1) end
redis.call('PUBLISH', p .. 'stop', ARGV[2])
return 1
"""
)

OWNED_BY = Script(
    """
-- prefix, owner, limit. Returns info, tail and ending of the newest; forgets those that have expired.
local out, key = {}, p .. 'o:' .. ARGV[2]
for _, id in ipairs(redis.call('ZREVRANGE', key, 0, -1)) do
  if #out >= tonumber(ARGV[3]) * 3 then break end
  local held = redis.call('HMGET', p .. 'm:' .. id, 'info', 'tail', 'ending')
  if held[1] then
    out[#out + 1] = held[1]
    out[#out + 1] = held[2]
    out[#out + 1] = held[3] or ''
  else redis.call('ZREM', key, id) end
end
return out
"""
)

RELEASE = Script(
    """
-- prefix, claim, fingerprint
local key = p .. 'c:' .. ARGV[2]
if string.match(redis.call('GET', key) or '', ' (.*)$') == ARGV[3] then return redis.call('DEL', key) end
return 0
"""
)

DISCARD = Script(
    """
-- prefix, id, node, owner. Take back a creation whose reply never came, if it was done and nothing was written.
local id, meta = ARGV[2], p .. 'm:' .. ARGV[2]
local held = redis.call('HMGET', meta, 'node', 'tail', 'claim', 'names')
if held[1] ~= ARGV[3] or held[2] ~= '0' then return 0 end
local keys = {}
if held[3] then keys[1] = p .. 'c:' .. held[3] end
for name in string.gmatch(held[4] or '', '%S+') do keys[#keys + 1] = p .. 'n:' .. name end
for _, key in ipairs(keys) do
  if string.match(redis.call('GET', key) or '', '^%S+') == id then redis.call('DEL', key) end
end
redis.call('ZREM', p .. 'leases', id)
redis.call('ZREM', p .. 'o:' .. ARGV[4], id)
return redis.call('DEL', meta)
"""
)

ALL = (BEGIN, APPEND, READ, RENEW, OVERDUE, TAKE, STOP, OWNED_BY, RELEASE, DISCARD)
