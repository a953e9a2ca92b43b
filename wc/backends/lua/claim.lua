-- Claims: a claim leases a split to one worker. The stream's list of pending entries holds the leases:
-- who has an entry, since when, and how often it was delivered. Renewing sets the idle time back.

-- A value of `started`: "SECONDS BYTES".
local function parse_started(text)
  local at, bytes = string.match(text, '^(%S+) (%S+)$')
  return tonumber(at), tonumber(bytes)
end

-- A split's bytes. JSON is not parsed for it: cjson refuses what stands for a byte that is not UTF-8 in a
-- file's name. A task ends as [..., length, size, mtime, compression] or [[files], 0, length].
local function bytes_of(task)
  return string.match(task, ', (%d+), %d+, %-?%d+, "[^"]*"%]$') or string.match(task, '%], 0, (%d+)%]$')
end

-- KEYS tasks, started for each origin; ARGV consumer, how many at most, the origins.
-- Leases splits that nobody has, all of one origin. Returns [origin, entry, seq, task] each.
local function claim(keys, args)
  local claimed = {}
  for i = 3, #args do
    local tasks, started = keys[2 * i - 5], keys[2 * i - 4]
    local reply = redis.pcall('XREADGROUP', 'GROUP', GROUP, args[1], 'COUNT', args[2],
      'STREAMS', tasks, '>')
    if reply and not reply.err then -- an error: no group yet, or not until the driver makes it again
      local now, begun = seconds_now(), {}
      for _, row in ipairs(reply[1][2]) do
        local seq, task = row[2][2], row[2][4]
        begun[#begun + 1] = seq
        begun[#begun + 1] = string.format('%.6f %d', now, bytes_of(task))
        claimed[#claimed + 1] = { args[i], row[1], seq, task }
      end
      with_all('HSET', started, begun) -- one that was given up and put back begins anew
      return claimed
    end
  end
  return claimed
end

-- KEYS tasks; ARGV consumer, entries. Renews the leases that the consumer still has, without raising
-- their delivery count. Returns one 1 (renewed) or 0 (lost) each.
local function renew(keys, args)
  local result = {}
  for i = 2, #args do
    local pending = redis.pcall('XPENDING', keys[1], GROUP, args[i], args[i], 1)
    local leased = not pending.err and #pending == 1 and pending[1][2] == args[1]
    if leased then
      redis.call('XCLAIM', keys[1], GROUP, args[1], 0, args[i], 'JUSTID')
    end
    result[#result + 1] = leased and 1 or 0
  end
  return result
end

redis.register_function('wc_claim', claim)
redis.register_function('wc_renew', renew)
