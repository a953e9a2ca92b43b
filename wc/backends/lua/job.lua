-- What a replica knows of a job as a whole: totals, manifests, splits given up.

-- KEYS manifest; ARGV origin, revision, total, how many dots are retracted.
-- Declares a revision of the origin's manifest complete. An older one changes nothing.
local function seal(keys, args)
  local origin = args[1]
  local known = redis.call('HGET', keys[1], origin .. '/revision')
  if known == args[2] then
    local sealed = redis.call('HGET', keys[1], origin)
    if sealed ~= args[3] then
      return redis.error_reply('SEALED ' .. origin .. ' is sealed at ' .. sealed
        .. ' splits, not ' .. args[3])
    end
  elseif not known or tonumber(known) < tonumber(args[2]) then
    redis.call('HSET', keys[1], origin, args[3], origin .. '/revision', args[2],
      origin .. '/retracted', args[4])
  end
  return tonumber(args[2])
end

-- KEYS files; ARGV origin, revision, packed manifest. Keeps a copy of the latest. 1 if it is new.
local function keep(keys, args)
  local known = redis.call('HGET', keys[1], args[1] .. '/revision')
  if known and tonumber(known) >= tonumber(args[2]) then
    return 0
  end
  redis.call('HSET', keys[1], args[1], args[3], args[1] .. '/revision', args[2])
  return 1
end

-- KEYS dead, applied, retracted, manifest (not in an earlier version's call)
-- ARGV origin, then pairs (seq, error as JSON).
-- Tells this replica of splits that were given up elsewhere, unless it has them settled, or knows
-- of a later attempt.
-- Returns how many were new here.
local function bury(keys, args)
  local new, attempt = 0, attempt_of(keys[4], args[1])
  for i = 2, #args, 2 do
    local dot, died = args[1] .. '/' .. args[i], died_in(args[i + 1])
    local known = died_in(redis.call('HGET', keys[1], dot) or '')
    if died >= attempt and died >= known and not is_settled(keys[2], keys[3], args[i]) then
      new = new + redis.call('HSET', keys[1], dot, args[i + 1])
    end
  end
  return new
end

-- KEYS manifest, dead, errors; ARGV origin, attempt. From this attempt on the origin's splits that died
-- in earlier ones are not dead any more, whoever tells of them. Returns how many were dead here.
local function revive(keys, args)
  local attempt, gone = tonumber(args[2]), {}
  if attempt_of(keys[1], args[1]) < attempt then
    redis.call('HSET', keys[1], args[1] .. '/attempt', attempt)
  end
  local flat = redis.call('HGETALL', keys[2])
  for i = 1, #flat, 2 do
    if string.match(flat[i], '^(.*)/') == args[1] and died_in(flat[i + 1]) < attempt then
      gone[#gone + 1] = flat[i]
    end
  end
  with_all('HDEL', keys[2], gone)
  with_all('HDEL', keys[3], gone)
  return #gone
end

-- KEYS manifest, files, digest, dead, stats, published, voids, bases, then applied, retracted
-- for each origin; ARGV the origins.
-- Returns JSON: {"origins": {ORIGIN: {...}}, "stats": {}, "published": string, "attempts": {ORIGIN:
-- which attempt at its dead splits this is}}; of an origin
-- total (-1 until sealed), revision, due (how many dots the sealed manifest retracts), high,
-- files (the revision of its manifest's copy, -1 without), applied, retracted, voids, dead,
-- through, digest.
local function status(keys, args)
  local dead = {}
  for _, dot in ipairs(redis.call('HKEYS', keys[4])) do
    local origin = string.match(dot, '^(.*)/')
    dead[origin] = (dead[origin] or 0) + 1
  end
  local origins, attempts = {}, {}
  for i, origin in ipairs(args) do
    local sealed = redis.call('HMGET', keys[1], origin, origin .. '/revision',
      origin .. '/retracted', origin .. '/high')
    attempts[origin] = attempt_of(keys[1], origin)
    origins[origin] = {
      total = tonumber(sealed[1] or -1),
      revision = tonumber(sealed[2] or 0),
      due = tonumber(sealed[3] or 0),
      high = tonumber(sealed[4] or 0),
      files = tonumber(redis.call('HGET', keys[2], origin .. '/revision') or -1),
      applied = redis.call('BITCOUNT', keys[7 + 2 * i]),
      retracted = redis.call('BITCOUNT', keys[8 + 2 * i]),
      voids = tonumber(redis.call('HGET', keys[7], origin) or 0),
      through = (base_of({ bases = keys[8] }, origin)),
      dead = dead[origin] or 0,
      digest = redis.call('HGET', keys[3], origin) or '',
    }
  end
  local stats = { duplicates = 0, takeovers = 0, speculations = 0, failures = 0, wasted_ms = 0 }
  local flat = redis.call('HGETALL', keys[5])
  for i = 1, #flat, 2 do
    stats[flat[i]] = tonumber(flat[i + 1])
  end
  return cjson.encode({
    origins = origins,
    stats = stats,
    published = redis.call('GET', keys[6]) or '',
    attempts = attempts,
  })
end

redis.register_function('wc_seal', seal)
redis.register_function('wc_keep', keep)
redis.register_function('wc_bury', bury)
redis.register_function('wc_revive', revive)
redis.register_function({ function_name = 'wc_status', callback = status, flags = { 'no-writes' } })
