-- Counts one request in all windows, or in none. What MemoryRates does, in one step of Redis.
-- KEYS: the state, and a list of what was counted, of entries (moment, cost).
-- ARGV[1], doubles, times in microseconds: now (negative: ask this server), cost, interval and
-- capacity of the bucket (0: none), strikes, their span, length of a block; then for each window
-- its span, its limit and the length of its slots. Spans ascend.
-- Answers doubles: reason (0 none, 1 window, 2 burst, 3 blocked), wait; for each window what
-- remains and when the oldest leaves.
-- The state, doubles: newest moment, what to add to the clock, when the bucket is full, end of
-- the block, strikes, the first of them, begin and cost of the newest entry, when the list is to
-- be told to live on; for each window total, number of entries, moment and cost of the oldest.
local a = {struct.unpack('<' .. string.rep('d', #ARGV[1] / 8), ARGV[1])}
local n = (#a - 8) / 3  -- the last is where unpack stopped
local now, cost, interval, capacity, block = a[1], a[2], a[3], a[4], a[7]
local log = KEYS[2]
if now < 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end

local size = 9 + 4 * n
local kept = redis.call('GET', KEYS[1])
local s
if kept and #kept == 8 * size then
  s = {struct.unpack('<' .. string.rep('d', size), kept)}
  s[size + 1] = nil
else
  s = {now, 0, 0, 0, 0, 0, 0, 0, 0}
  for i = 10, size do s[i] = 0 end
  redis.call('DEL', log)
end

-- A clock that was set back goes on from where it stood; a small step back is a pause.
now = now + s[2]
if now < s[1] then
  if s[1] - now > 1000000 then s[2] = s[2] + s[1] - now end
  now = s[1]
end
s[1] = now

local reason, wait = 0, 0
for i = 1, n do
  local at, span = 6 + 4 * i, a[5 + 3 * i]
  while s[at + 1] > 0 and s[at + 2] <= now - span do
    s[at] = s[at] - s[at + 3]
    s[at + 1] = s[at + 1] - 1
    local oldest = s[at + 1] > 0 and redis.call('LINDEX', log, -s[at + 1])
    if oldest then
      s[at + 2], s[at + 3] = struct.unpack('<dd', oldest)
    else
      s[at], s[at + 1] = 0, 0
    end
    if i == n then redis.call('LPOP', log) end
  end
  local over = s[at] + cost - a[6 + 3 * i]
  if over > 0 then
    local leaves, freed = span, 0
    if over <= s[at] then
      local last = math.min(-1, over - 1 - s[at + 1])
      for _, entry in ipairs(redis.call('LRANGE', log, -s[at + 1], last)) do
        local moment, of_entry = struct.unpack('<dd', entry)
        freed = freed + of_entry
        if freed >= over then
          leaves = moment + span - now
          break
        end
      end
    end
    reason = 1
    if leaves > wait then wait = leaves end
  end
end

local full_at = 0
if capacity > 0 then
  full_at = math.max(s[3], now) + cost * interval
  local early = full_at - capacity * interval - now
  if early > 0 then
    if reason == 0 then reason = 2 end
    if early > wait then wait = early end
  end
end

local longest = a[5 + 3 * n]
if s[4] > now then
  reason, wait = 3, s[4] - now
elseif reason > 0 then
  if now - s[6] >= a[6] then s[5], s[6] = 0, now end
  s[5] = s[5] + 1
  if s[5] >= a[5] then
    s[5] = 0
    reason, wait = 3, block
    s[4] = now + block
  end
else
  s[3] = full_at
  local merged = s[11] > 0 and now - s[7] < a[10]
  if merged then
    s[8] = s[8] + cost
    redis.call('LSET', log, -1, struct.pack('<dd', now, s[8]))
  else
    s[7], s[8] = now, cost
    redis.call('RPUSH', log, struct.pack('<dd', now, cost))
  end
  for at = 10, size, 4 do
    s[at] = s[at] + cost
    if not merged then s[at + 1] = s[at + 1] + 1 end
    if s[at + 1] == 1 then s[at + 2], s[at + 3] = now, s[8] end
  end
  if now >= s[9] or s[size - 2] == 1 then
    redis.call('PEXPIRE', log, longest / 500)
    s[9] = now + longest / 2
  end
end

local answer = {reason, wait}
for i = 1, n do
  local at = 6 + 4 * i
  answer[2 * i + 1] = math.max(0, a[6 + 3 * i] - s[at])
  answer[2 * i + 2] = s[at + 1] > 0 and s[at + 2] + a[5 + 3 * i] - now or 0
end
redis.call('SET', KEYS[1], struct.pack('<' .. string.rep('d', size), unpack(s)),
  'PX', math.max(longest, block) / 500)
return struct.pack('<' .. string.rep('d', 2 + 2 * n), unpack(answer))
