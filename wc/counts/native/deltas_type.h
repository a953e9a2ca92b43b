/* Table's methods for deltas: add, subtract, pack. Included by _kernel.c.
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

/* What is wrong with a delta's beginning, or NULL. */
static const char *
check_head(const uint8_t *at, size_t size)
{
    if (size < HEADER || memcmp(at, FORMAT, 3))
        return "not a delta";
    PyObject *digest = at[3] == FORMAT[3] ? digest_of(at + BODY, size - BODY) : NULL;
    if (!digest) /* an exception is set, or the version is another */
        return "";
    bool equal = memcmp(PyBytes_AsString(digest), at + 4, 16) == 0;
    Py_DECREF(digest);
    return equal ? NULL : "checksum mismatch: the delta was damaged, fetch or count it again";
}

/* Check all of a delta, which is bytes: nobody changes them meanwhile. True with an exception if anything is
 * wrong. */
static bool
is_refused(PyObject *packed, Delta *delta)
{
    char *at;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(packed, &at, &size))
        return true;
    const char *wrong = check_head((const uint8_t *)at, (size_t)size);
    if (!wrong) {
        Py_BEGIN_ALLOW_THREADS
        wrong = read_delta((const uint8_t *)at, (size_t)size, delta);
        Py_END_ALLOW_THREADS
    }
    if (wrong && *wrong)
        PyErr_SetString(BadDelta, wrong);
    else if (wrong && !PyErr_Occurred())
        PyErr_Format(BadDelta,
                     "version %d at byte 3: only %d is known here "
                     "(another version of faultline counted this: start the job anew)",
                     (uint8_t)at[3], FORMAT[3]);
    return wrong != NULL;
}

static PyObject *
Table_add(TableObject *self, PyObject *args)
{
    size_t many = (size_t)PyTuple_Size(args), good = 0;
    if (begin(self))
        return NULL;
    Delta *deltas = malloc((many + 1) * sizeof *deltas);
    int failure = deltas ? OK : NO_MEMORY;
    while (deltas && good < many && !is_refused(PyTuple_GetItem(args, (Py_ssize_t)good), &deltas[good]))
        good++;
    if (deltas && good == many) {
        Py_BEGIN_ALLOW_THREADS
        failure = add_deltas(&self->table, deltas, many);
        Py_END_ALLOW_THREADS
    }
    free(deltas);
    self->busy = false;
    if (failed_with(failure) || good < many)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *
Table_subtract(TableObject *self, PyObject *packed)
{
    Delta delta;
    Lack lack;
    if (begin(self))
        return NULL;
    bool done = false, refused = is_refused(packed, &delta);
    if (!refused) {
        Py_BEGIN_ALLOW_THREADS
        done = subtract_delta(&self->table, &delta, &lack);
        Py_END_ALLOW_THREADS
    }
    self->busy = false;
    if (done)
        Py_RETURN_NONE;
    PyObject *text = refused ? NULL
                             : PyUnicode_DecodeUTF8((const char *)lack.bytes,
                                                    (Py_ssize_t)lack.length, "strict");
    if (text)
        PyErr_Format(PyExc_ValueError, "cannot take %llu of %.80R away: only %llu counted",
                     (unsigned long long)lack.count, text, (unsigned long long)lack.have);
    Py_XDECREF(text);
    return NULL;
}

static PyObject *
Table_pack(TableObject *self, PyObject *Py_UNUSED(ignored))
{
    Packing packing = {0};
    int failure;
    if (begin(self))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    failure = order_words(&self->table, &packing);
    Py_END_ALLOW_THREADS
    PyObject *digest = NULL;
    PyObject *packed =
        failed_with(failure) ? NULL : PyBytes_FromStringAndSize(NULL, (Py_ssize_t)packing.size);
    if (packed) {
        uint8_t *at = (uint8_t *)PyBytes_AsString(packed);
        Py_BEGIN_ALLOW_THREADS
        pack_into(at, &self->table, &packing);
        Py_END_ALLOW_THREADS
        digest = digest_of(at + BODY, packing.size - BODY);
        if (digest) /* writing to bytes is allowed, as nobody else has seen the object */
            memcpy(at + 4, PyBytes_AsString(digest), 16);
        else
            Py_CLEAR(packed);
    }
    Py_XDECREF(digest);
    free(packing.rows);
    self->busy = false;
    return packed;
}

#endif
