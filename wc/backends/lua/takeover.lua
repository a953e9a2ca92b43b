-- Takeover: a lease that was not renewed for its time has run out, and another worker takes the split
-- over. A split that fails for good, or is delivered too often, is given up: it joins `dead`.

-- What a split is, for people. A task names one file, or a list of those that share the split.
local function describe(task)
  local files = cjson.decode(task)[1]
  if type(files) == 'string' then
    return files
  end
  return files[1][1] .. ' and ' .. (#files - 1) .. ' more'
end

-- KEYS dead, errors, stats, then tasks, retracted for each origin, then applied for each
-- (an earlier version's call has no applied ones)
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
    -- XPENDING's IDLE filter scans the whole pending list, so nothing live ahead of
    -- an expired entry can hide it (as it can from XAUTOCLAIM with a small COUNT).
    local expired = redis.pcall('XPENDING', tasks, GROUP, 'IDLE', lease, '-', '+', most)
    for _, pending in ipairs(expired.err and {} or expired) do -- an error: no group yet
      local entry, deliveries = pending[1], pending[4]
      local rows = redis.call('XRANGE', tasks, entry, entry)
      if #rows == 0 then -- settled and deleted, yet still in the list of pending entries
        redis.call('XACK', tasks, GROUP, entry)
      else
        local fields = rows[1][2]
        local seq, task = fields[2], fields[4]
        local dot = origin .. '/' .. seq
        if deliveries >= max_deliveries then
          local last = redis.call('HGET', errors, dot)
          if not is_settled(applied, retracted, seq) then
            redis.call('HSET', dead, dot, last or cjson.encode({
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

-- KEYS tasks, errors, dead, stats, retracted, applied (not in an earlier version's call)
-- ARGV origin, seq, entry, error (JSON), final ('1' or '0'), max deliveries.
-- Records why a split failed. A final error, or one too many, buries it: 1.
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
  local deliveries = (not pending.err and #pending == 1) and pending[1][4] or 0
  if args[5] == '1' or deliveries >= tonumber(args[6]) then
    redis.call('HSET', dead, dot, args[4])
    settle(tasks, { entry })
    return 1
  end
  return 0
end

redis.register_function('wc_takeover', takeover)
redis.register_function('wc_fail', fail)
