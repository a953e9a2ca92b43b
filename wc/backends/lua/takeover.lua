-- Takeover: a lease that was not renewed for its time has run out, and another worker takes the split
-- over. A split that fails for good, or is delivered too often, is given up: it joins `dead`.

-- A file may be missing on one host alone, as when its mount is gone there. The split is then free at
-- once for other hosts: its lease looks this old (ms). The host itself tries it again only after
-- LEASES_LATER leases more.
local FREE_MS, LEASES_LATER = 3600000, 10

-- Where `errors` has the hosts that could not read a split's files: "h1 h2 ".
local function absent_field(dot)
  return dot .. '/absent'
end

local function host_of(consumer)
  return string.match(consumer, '^[^/]*')
end

local function contains(hosts, host)
  return string.find(' ' .. hosts, ' ' .. host .. ' ', 1, true) ~= nil
end

-- Leaves a split to hosts that have not tried it; false if there is none among `others`, or none has
-- taken it since this host left it to them (a host may have no worker).
local function leave_to(others, errors, tasks, dot, pending)
  local consumer, host = pending[2], host_of(pending[2])
  local absent = redis.call('HGET', errors, absent_field(dot)) or ''
  if not contains(absent, host) then
    absent = absent .. host .. ' '
    for _, other in ipairs(others) do
      if not contains(absent, other) then
        redis.call('HSET', errors, absent_field(dot), absent)
        redis.call('XCLAIM', tasks, GROUP, consumer, 0, pending[1], 'IDLE', FREE_MS,
          'RETRYCOUNT', math.max(0, pending[4] - 1), 'JUSTID') -- this delivery does not count
        return true
      end
    end
  end
  redis.call('HDEL', errors, absent_field(dot))
  return false
end

-- What a split is, for people. A task names one file, or a list of those that share the split.
local function describe(task)
  local parsed, values = pcall(cjson.decode, task)
  if not parsed then -- a byte that is not UTF-8 is in a name: as it is escaped
    return string.match(task, '^%[*"([^"]*)')
  end
  local files = values[1]
  if type(files) == 'string' then
    return files
  end
  return files[1][1] .. ' and ' .. (#files - 1) .. ' more'
end

-- Whether a split, idle for so many ms, is to be left to other hosts than the consumer's.
local function is_absent(errors, dot, consumer, idle, lease)
  local absent = redis.call('HGET', errors, absent_field(dot))
  return absent and contains(absent, host_of(consumer)) and idle < FREE_MS + LEASES_LATER * lease
end

-- KEYS dead, errors, stats, then tasks, retracted for each origin, then applied for each, manifest
-- (an earlier version's call has no applied ones and no manifest)
-- ARGV consumer, lease in ms, how many at most, max deliveries, the origins.
-- Takes over splits whose lease has run out, all of one origin. One that was delivered too
-- often without a result is buried instead, or just done if it is settled here.
-- Returns [origin, entry, seq, task, deliveries] each.
local function takeover(keys, args)
  local dead, errors, stats = keys[1], keys[2], keys[3]
  local consumer, lease = args[1], args[2]
  local most, max_deliveries = tonumber(args[3]), tonumber(args[4])
  local claimed = {}
  for i = 5, #args do
    local origin, tasks, retracted = args[i], keys[2 * i - 6], keys[2 * i - 5]
    local applied = keys[3 + 2 * (#args - 4) + i - 4]
    local manifest = keys[3 + 3 * (#args - 4) + 1]
    -- XPENDING's IDLE filter scans the whole pending list, so nothing live ahead of
    -- an expired entry can hide it (as it can from XAUTOCLAIM with a small COUNT).
    local expired = redis.pcall('XPENDING', tasks, GROUP, 'IDLE', lease, '-', '+', most + 100)
    for _, pending in ipairs(expired.err and {} or expired) do -- an error: no group yet
      local entry, deliveries = pending[1], pending[4]
      local rows = redis.call('XRANGE', tasks, entry, entry)
      if #rows == 0 then -- settled and deleted, yet still in the list of pending entries
        redis.call('XACK', tasks, GROUP, entry)
      elseif #claimed < most
        and not is_absent(errors, origin .. '/' .. rows[1][2][2], consumer, pending[3], lease) then
        local fields = rows[1][2]
        local seq, task = fields[2], fields[4]
        local dot = origin .. '/' .. seq
        if deliveries >= max_deliveries then
          local last = redis.call('HGET', errors, dot)
          if not is_settled(applied, retracted, seq) then
            give_up(dead, manifest, origin, seq, last or cjson.encode({
              error = describe(task) .. ': delivered ' .. deliveries .. ' times without a result: '
                .. 'does counting it kill the worker?', origin = origin, seq = tonumber(seq),
              task = task,
            }))
          end
          settle(tasks, { entry })
        else
          redis.call('XCLAIM', tasks, GROUP, consumer, lease, entry)
          redis.call('HINCRBY', stats, 'takeovers', 1)
          claimed[#claimed + 1] = { origin, entry, seq, task, deliveries + 1 }
        end
      end
    end
    if #claimed > 0 then
      return claimed
    end
  end
  return claimed
end

-- KEYS tasks, errors, dead, stats, retracted, applied, manifest (the last two not in an
-- earlier version's call)
-- ARGV origin, seq, entry, error (JSON), final ('1' or '0'), max deliveries; and if another host may
-- not have that error, the consumer and the other hosts (an earlier version's call has none).
-- Records why a split failed. While another host is left that has not tried it: 0. A final error, or one too many, buries it: 1.
-- Otherwise it stays leased and is tried again when the lease has run out: 0. So is the answer if
-- the split is settled here already, as when a speculative copy fails late: then nothing is recorded.
local function fail(keys, args)
  local tasks, errors, dead, stats = keys[1], keys[2], keys[3], keys[4]
  local dot, entry = args[1] .. '/' .. args[2], args[3]
  if is_settled(keys[6], keys[5], args[2]) then
    settle(tasks, { entry })
    return 0
  end
  redis.call('HSET', errors, dot, args[4])
  redis.call('HINCRBY', stats, 'failures', 1)
  local pending = redis.pcall('XPENDING', tasks, GROUP, entry, entry, 1)
  local leased = not pending.err and #pending == 1
  if leased and pending[1][2] == args[7]
    and leave_to({ unpack(args, 8) }, errors, tasks, dot, pending[1]) then
    return 0
  end
  local deliveries = leased and pending[1][4] or 0
  if args[5] == '1' or deliveries >= tonumber(args[6]) then
    give_up(dead, keys[7], args[1], args[2], args[4])
    settle(tasks, { entry })
    return 1
  end
  return 0
end

redis.register_function('wc_takeover', takeover)
redis.register_function('wc_fail', fail)
