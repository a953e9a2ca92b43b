/* Table's methods for deltas: add, subtract, pack, drain. Included by _kernel.c.
 *
 * All deltas of a call are checked before the first is used. The package xxhash computes checksums.
 */
#ifndef FAULTLINE_DELTAS_H
#define FAULTLINE_DELTAS_H

static PyObject *
digest_of(const uint8_t *bytes, size_t length)
{
    PyObject *view = PyMemoryView_FromMemory((char *)bytes, (Py_ssize_t)length, PyBUF_READ);
    PyObject *digest = view ? PyObject_CallFunctionObjArgs(xxh3_128, view, NULL) : NULL;
    Py_XDECREF(view);
    return digest;
}

/* Check all of a delta. -1 with an exception if anything is wrong. */
static int
checked(const Py_buffer *packed, Delta *delta)
{
    const uint8_t *at = packed->buf;
    size_t size = (size_t)packed->len;
    if (size < HEADER || memcmp(at, FORMAT, 3)) {
        PyErr_SetString(BadDelta, "not a delta");
        return -1;
    }
    if (at[3] != FORMAT[3]) {
        PyErr_Format(BadDelta,
                     "version %d at byte 3: only %d is known here "
                     "(another version of faultline counted this: start the job anew)",
                     at[3], FORMAT[3]);
        return -1;
    }
    PyObject *digest = digest_of(at + BODY, size - BODY);
    if (!digest)
        return -1;
    bool equal = memcmp(PyBytes_AsString(digest), at + 4, 16) == 0;
    Py_DECREF(digest);
    if (!equal) {
        PyErr_SetString(BadDelta,
                        "checksum mismatch: the delta was damaged, fetch or count it again");
        return -1;
    }
    const char *wrong;
    Py_BEGIN_ALLOW_THREADS
    wrong = read_delta(at, size, delta);
    Py_END_ALLOW_THREADS
    if (wrong) {
        PyErr_SetString(BadDelta, wrong);
        return -1;
    }
    return 0;
}

/* The deltas of one call. */
typedef struct {
    Py_ssize_t held; /* how many buffers must be released */
    Py_buffer *packed;
    Delta *deltas;
} Deltas;

static void
release_deltas(Deltas *all)
{
    while (all->held > 0)
        PyBuffer_Release(&all->packed[--all->held]);
    free(all->packed);
    free(all->deltas);
}

/* Check a tuple of deltas. For release_deltas(). -1 with an exception if anything is wrong. */
static int
check_deltas(PyObject *args, Deltas *all)
{
    Py_ssize_t many = PyTuple_Size(args);
    *all = (Deltas){0};
    all->packed = malloc((size_t)(many ? many : 1) * sizeof *all->packed);
    all->deltas = malloc((size_t)(many ? many : 1) * sizeof *all->deltas);
    if (!all->packed || !all->deltas) {
        PyErr_NoMemory();
        return -1;
    }
    for (; all->held < many; all->held++)
        if (PyObject_GetBuffer(PyTuple_GetItem(args, all->held), &all->packed[all->held],
                               PyBUF_SIMPLE))
            return -1;
    for (Py_ssize_t i = 0; i < many; i++)
        if (checked(&all->packed[i], &all->deltas[i]) < 0)
            return -1;
    return 0;
}

/* Add checked deltas. True with an exception if that fails. */
static bool
add_raised(Table *table, const Deltas *all)
{
    uint64_t total = table->total;
    for (Py_ssize_t i = 0; i < all->held; i++) {
        if (all->deltas[i].total > UINT64_MAX - total) {
            PyErr_SetString(PyExc_OverflowError, "the sum of all counts does not fit in 64 bits");
            return true;
        }
        total += all->deltas[i].total;
    }
    int failure = OK;
    Py_BEGIN_ALLOW_THREADS
    if (all->held)
        failure = add_deltas(table, all->deltas, (size_t)all->held);
    Py_END_ALLOW_THREADS
    return failed_with(failure);
}

static PyObject *
Table_add(TableObject *self, PyObject *args)
{
    Deltas all;
    if (begin(self))
        return NULL;
    bool failed = check_deltas(args, &all) < 0 || add_raised(&self->table, &all);
    self->busy = false;
    release_deltas(&all);
    if (failed)
        return NULL;
    Py_RETURN_NONE;
}

/* Subtract a checked delta. True with an exception if that fails. */
static bool
subtract_raised(Table *table, const Delta *delta)
{
    bool done;
    Lack lack;
    Py_BEGIN_ALLOW_THREADS
    done = subtract_delta(table, delta, &lack);
    Py_END_ALLOW_THREADS
    if (done)
        return false;
    PyObject *text =
        PyUnicode_DecodeUTF8((const char *)lack.bytes, (Py_ssize_t)lack.length, "strict");
    if (text) {
        PyErr_Format(PyExc_ValueError, "cannot take %llu of %.80R away: only %llu counted",
                     (unsigned long long)lack.count, text, (unsigned long long)lack.have);
        Py_DECREF(text);
    }
    return true;
}

static PyObject *
Table_subtract(TableObject *self, PyObject *argument)
{
    Py_buffer packed;
    Delta delta;
    if (PyObject_GetBuffer(argument, &packed, PyBUF_SIMPLE))
        return NULL;
    if (begin(self)) {
        PyBuffer_Release(&packed);
        return NULL;
    }
    bool failed = checked(&packed, &delta) < 0 || subtract_raised(&self->table, &delta);
    self->busy = false;
    PyBuffer_Release(&packed);
    if (failed)
        return NULL;
    Py_RETURN_NONE;
}

/* Pack a table. If it is `drained` (drain.h), it must be emptied next. NULL with an exception. */
static PyObject *
packed_table(Table *table, bool drained)
{
    Packing packing;
    int failure;
    Py_BEGIN_ALLOW_THREADS
    failure = drained ? drain_words(table, &packing) : order_words(table, &packing);
    Py_END_ALLOW_THREADS
    if (failed_with(failure))
        return NULL;
    PyObject *packed = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)packing.size);
    if (packed) {
        uint8_t *at = (uint8_t *)PyBytes_AsString(packed);
        Py_BEGIN_ALLOW_THREADS
        failure = pack_into(at, table, &packing);
        Py_END_ALLOW_THREADS
        PyObject *digest = failed_with(failure) ? NULL : digest_of(at + BODY, packing.size - BODY);
        if (digest) /* writing to bytes is allowed, as nobody else has seen the object */
            memcpy(at + 4, PyBytes_AsString(digest), 16);
        else
            Py_CLEAR(packed);
        Py_XDECREF(digest);
    }
    free_packing(table, &packing);
    return packed;
}

static PyObject *
Table_pack(TableObject *self, PyObject *Py_UNUSED(ignored))
{
    if (begin(self))
        return NULL;
    PyObject *packed = packed_table(&self->table, false);
    self->busy = false;
    return packed;
}

static PyObject *
Table_drain(TableObject *self, PyObject *Py_UNUSED(ignored))
{
    if (begin(self))
        return NULL;
    Table *table = &self->table;
    /* A small table keeps its memory for the next text, so it is not drained. */
    PyObject *packed = packed_table(table, memory_of(table) > KEPT_BYTES);
    bool failed = failed_with(empty_table(table));
    self->busy = false;
    if (failed)
        Py_CLEAR(packed);
    return packed;
}

#endif
