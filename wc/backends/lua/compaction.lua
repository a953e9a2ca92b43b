-- Compaction: dots 1..through of an origin become its base, one sum, and their deltas are forgotten.
-- Excluded are those of them that were retracted before; negatives are the counts of those that were
-- retracted since, which readers subtract. What a base covers changes no value and no digest.

-- The set bits of a bitmap (as GET gives it) that are at most `last`, ascending.
local function members(bitmap, last)
  local found = {}
  for byte = 1, math.min(#bitmap, math.floor(last / 8) + 1) do
    local value = string.byte(bitmap, byte)
    if value > 0 then
      for offset = 0, 7 do
        local seq = (byte - 1) * 8 + offset
        if bit.band(value, bit.rshift(0x80, offset)) ~= 0 and seq <= last then
          found[#found + 1] = seq
        end
      end
    end
  end
  return found
end

local function contains(bitmap, seq)
  local value = string.byte(bitmap, math.floor(seq / 8) + 1)
  return value ~= nil and bit.band(value, bit.rshift(0x80, seq % 8)) ~= 0
end

-- Sets bits 1..last: whole bytes at once, the rest one by one.
local function set_up_to(bitmap, last)
  local bytes = math.floor((last + 1) / 8) -- bytes 1..bytes-1 are wholly covered; byte 0 has no bit 0
  if bytes > 1 then
    redis.call('SETRANGE', bitmap, 1, string.rep('\255', bytes - 1))
  end
  for seq = 1, math.min(last, 7) do
    redis.call('SETBIT', bitmap, seq, 1)
  end
  for seq = math.max(8, bytes * 8), last do
    redis.call('SETBIT', bitmap, seq, 1)
  end
end

-- The digest of those dots up to `through` that this replica has.
local function digest_up_to(r, origin, old_through, old_digest, through)
  local digest = old_digest
  for seq = old_through + 1, through do
    if redis.call('GETBIT', r.applied, seq) == 1 then
      digest = xor_hex(digest, dot_digest(origin, seq, redis.call('HGET', r.deltas, seq)))
    end
  end
  return digest
end

-- KEYS results, staged; ARGV origin, through, excluded (bitmap), digest, then pairs (seq, delta).
-- Makes `staged` the origin's base: the sum of dots 1..through without the excluded ones, `digest`
-- being that of dots 1..through. A replica that lacks some of these dots has them afterwards.
-- The pairs are counts of dots that are retracted here and that this base still contains.
-- Returns 1, or 0 if the base here goes as far already. BEHIND, and nothing has changed, if
-- the counts of such a dot are neither given nor known here.
local function rebase(keys, args)
  local r, staged = results(keys), keys[#RESULTS + 1]
  local origin, through, excluded, digest = args[1], tonumber(args[2]), args[3], args[4]
  local old_through, old_digest = base_of(r, origin)
  local old_excluded = redis.call('GET', r.taken) or ''
  if redis.call('EXISTS', staged) == 0 then
    return redis.error_reply('STAGED there is no ' .. staged)
  end
  if through < old_through or (through == old_through and excluded == old_excluded) then
    redis.call('UNLINK', staged)
    return 0
  end
  local known = {}
  for i = 5, #args, 2 do
    known[tonumber(args[i])] = args[i + 1]
  end
  local marks = members(redis.call('GET', r.retracted) or '', through)
  local contained = {}
  for _, seq in ipairs(marks) do
    if not contains(excluded, seq) and redis.call('HEXISTS', r.negatives, seq) == 0 then
      local delta = known[seq] or (seq > old_through and redis.call('HGET', r.deltas, seq))
      if not delta then
        return redis.error_reply('BEHIND the counts of the retracted dot ' .. origin .. '/' .. seq
          .. ' are inside the new base and not known here')
      end
      contained[seq] = delta
    end
  end

  if redis.call('BITCOUNT', r.applied, 1, through, 'BIT') < through then
    local present = digest_up_to(r, origin, old_through, old_digest, through)
    note_digest(r, origin, xor_hex(present, digest))
    for _, seq in ipairs(marks) do
      if redis.call('GETBIT', r.applied, seq) == 0 then
        redis.call('HINCRBY', r.voids, origin, -1)
      end
    end
    set_up_to(r.applied, through)
    for _, dot in ipairs(redis.call('HKEYS', r.dead)) do
      local dot_origin, seq = string.match(dot, '^(.*)/(%d+)$')
      if dot_origin == origin and tonumber(seq) <= through then
        redis.call('HDEL', r.dead, dot)
      end
    end
  end
  for _, seq in ipairs(members(excluded, through)) do
    redis.call('HDEL', r.negatives, seq)
    if redis.call('SETBIT', r.retracted, seq, 1) == 0 then
      note_digest(r, origin, mark_digest(origin, seq))
    end
  end
  for seq, delta in pairs(contained) do
    redis.call('HSET', r.negatives, seq, delta)
  end
  redis.call('RENAME', staged, r.base)
  redis.call('SET', r.taken, excluded)
  redis.call('HSET', r.bases, origin, through .. ' ' .. digest)
  return 1
end

-- KEYS results; ARGV origin, then seqs. Forgets the deltas of dots that the base covers,
-- a few at a time, so that no other client waits long. Returns how many there were.
local function trim(keys, args)
  local r = results(keys)
  local through = base_of(r, args[1])
  local trimmed = 0
  for i = 2, #args do
    if tonumber(args[i]) <= through then
      trimmed = trimmed + redis.call('HDEL', r.deltas, args[i])
    end
  end
  return trimmed
end

redis.register_function('wc_rebase', rebase)
redis.register_function('wc_trim', trim)
