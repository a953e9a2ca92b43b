/* The compiled kernel's module: counting and folding (wc/counts/kernel.py says what a kernel is).
 *
 * A Table maps words to counts (table/table.h). It is fed with text (scan/text.h, or a reader of
 * readers_type.h) or with deltas (deltas_type.h).
 *
 * The interpreter's lock is released while text is scanned, deltas are checked and folded, and
 * words are sorted. A Table must not be used by two threads at once: the second gets an error.
 */
#define PY_SSIZE_T_CLEAN
#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x030B0000 /* one build for Python 3.11 and all later ones */
#endif
#include <Python.h>

#include "deltas/fold.h"
#include "scan/letters.h"
#include "deltas/pack.h"
#include "deltas/zadd.h"
#include "scan/text.h"
#include "deltas/top.h"
#include "scan/tweets.h"

typedef struct {
    PyObject_HEAD
    bool busy;
    Table table;
} TableObject;

static PyTypeObject *TableType;
static PyObject *BadText;  /* (offset, reason) */
static PyObject *BadDelta; /* (reason) */
static PyObject *xxh3_128; /* the checksum of deltas */

static int
begin(TableObject *self)
{
    if (self->busy) {
        PyErr_SetString(PyExc_RuntimeError, "this tally is in use by another thread");
        return -1;
    }
    if (!self->table.full) { /* emptying it failed for want of memory */
        PyErr_NoMemory();
        return -1;
    }
    self->busy = true;
    return 0;
}

/* Raise an exception for a failure; false if there was none. */
static bool
failed_with(int failure)
{
    if (failure == NO_MEMORY)
        PyErr_NoMemory();
    else if (failure == TOO_LARGE)
        PyErr_SetString(PyExc_OverflowError,
                        "more than 2^32 distinct words, or a word of more than 2^32 bytes");
    return failure != OK;
}

static PyObject *
Table_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"seed", "parted", NULL};
    unsigned long long seed;
    int parted = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "K|p", names, &seed, &parted))
        return NULL;
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    TableObject *self = (TableObject *)allocate(type, 0); /* zeroed */
    if (self && failed_with(begin_table(&self->table, seed, parted)))
        Py_CLEAR(self);
    return (PyObject *)self;
}

static void
Table_dealloc(TableObject *self)
{
    free_table(&self->table);
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

/* ---------------------------------------------------------------- text */

/* Raise what feed() or finish() failed with, or return None. */
static PyObject *
fed(int failure, const char *reason, uint64_t where)
{
    if (failure == BAD_TEXT) {
        PyObject *value = Py_BuildValue("(Ks)", (unsigned long long)where, reason);
        if (value) {
            PyErr_SetObject(BadText, value);
            Py_DECREF(value);
        }
        return NULL;
    }
    if (failure == CALLBACK_FAILED || failed_with(failure)) /* a callback has raised */
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *
Table_feed(TableObject *self, PyObject *argument)
{
    Py_buffer piece;
    if (PyObject_GetBuffer(argument, &piece, PyBUF_SIMPLE))
        return NULL;
    if (begin(self)) {
        PyBuffer_Release(&piece);
        return NULL;
    }
    const char *reason = NULL;
    uint64_t where = 0;
    int failure;
    Py_BEGIN_ALLOW_THREADS
    failure = feed(&self->table, piece.buf, (size_t)piece.len, &reason, &where);
    Py_END_ALLOW_THREADS
    self->busy = false;
    PyBuffer_Release(&piece);
    return fed(failure, reason, where);
}

static PyObject *
Table_finish(TableObject *self, PyObject *Py_UNUSED(ignored))
{
    if (begin(self))
        return NULL;
    const char *reason = NULL;
    uint64_t where = 0;
    int failure = finish(&self->table, &reason, &where);
    self->busy = false;
    return fed(failure, reason, where);
}

/* A str as a word, which is valid as long as the str. -1 with an exception if it has no UTF-8. */
static int
word_from(const Table *table, PyObject *text, Word *word)
{
    Py_ssize_t length;
    const char *bytes = PyUnicode_AsUTF8AndSize(text, &length);
    if (!bytes)
        return -1;
    if ((size_t)length > UINT32_MAX) {
        failed_with(TOO_LARGE);
        return -1;
    }
    *word = word_at(&table->seed, (const uint8_t *)bytes, (size_t)length, false);
    return 0;
}

#include "readers_type.h"

#include "deltas_type.h"

/* ---------------------------------------------------------------- reading */

static PyObject *
row_of(const Table *table, const Entry *entry)
{
    return Py_BuildValue("(s#K)", (const char *)word_of(table, entry),
                         (Py_ssize_t)length_of(entry), (unsigned long long)entry->count);
}

/* The argument k, 0 for all words, as a number of words. -1 with an exception. */
static Py_ssize_t
asked_for(const Table *table, PyObject *argument)
{
    Py_ssize_t asked = PyNumber_AsSsize_t(argument, PyExc_OverflowError), all = (Py_ssize_t)table->live;
    if (asked == -1 && PyErr_Occurred())
        return -1;
    if (asked < 0) {
        PyErr_Format(PyExc_ValueError, "top %zd: 0 (for all words) or more expected", asked);
        return -1;
    }
    return asked == 0 || asked > all ? all : asked;
}

/* The numbers of the first words in the order of publication. For free(). NULL with an exception. */
static uint32_t *
ranked(const Table *table, Py_ssize_t most)
{
    uint32_t *numbers;
    Py_BEGIN_ALLOW_THREADS
    numbers = first_numbers(table, (size_t)most);
    Py_END_ALLOW_THREADS
    if (!numbers)
        PyErr_NoMemory();
    return numbers;
}

static PyObject *
Table_top(TableObject *self, PyObject *argument)
{
    if (begin(self))
        return NULL;
    const Table *table = &self->table;
    Py_ssize_t most = asked_for(table, argument);
    uint32_t *numbers = most < 0 ? NULL : ranked(table, most);
    PyObject *rows = numbers ? PyList_New(most) : NULL;
    for (Py_ssize_t i = 0; rows && i < most; i++) {
        PyObject *row = row_of(table, &table->entries[numbers[i]]);
        if (!row) {
            Py_CLEAR(rows);
            break;
        }
        PyList_SetItem(rows, i, row);
    }
    free(numbers);
    self->busy = false;
    return rows;
}

/* rows(first, most): (next entry, or 0 at the end; list of (word, count)), from entry `first` on. */
static PyObject *
Table_rows(TableObject *self, PyObject *args)
{
    Py_ssize_t first, most;
    if (!PyArg_ParseTuple(args, "nn", &first, &most))
        return NULL;
    if (begin(self))
        return NULL;
    const Table *table = &self->table;
    PyObject *rows = PyList_New(0);
    size_t number = first < 0 ? 0 : (size_t)first;
    for (; rows && number < table->slots && PyList_Size(rows) < most; number++) {
        const Entry *entry = &table->entries[number];
        if (!entry->count)
            continue;
        PyObject *row = row_of(table, entry);
        if (!row || PyList_Append(rows, row))
            Py_CLEAR(rows);
        Py_XDECREF(row);
    }
    size_t next = number < table->slots ? number : 0;
    self->busy = false;
    return rows ? Py_BuildValue("nN", (Py_ssize_t)next, rows) : NULL;
}

/* ranking(k): the numbers of the first k words, four bytes each, in the order of publication. */
static PyObject *
Table_ranking(TableObject *self, PyObject *argument)
{
    if (begin(self))
        return NULL;
    const Table *table = &self->table;
    Py_ssize_t most = asked_for(table, argument);
    uint32_t *numbers = most < 0 ? NULL : ranked(table, most);
    PyObject *ranking =
        numbers ? PyBytes_FromStringAndSize((const char *)numbers, most * 4) : NULL;
    free(numbers);
    self->busy = false;
    return ranking;
}

/* Copy a part of a ranking. For free(). NULL with an exception if it is not this table's. */
static uint32_t *
chosen_numbers(const Table *table, const char *ranking, Py_ssize_t size, Py_ssize_t first,
               Py_ssize_t *most)
{
    Py_ssize_t all = size / 4;
    if (first < 0 || first > all || *most < 0) {
        PyErr_SetString(PyExc_IndexError, "no such part of the ranking");
        return NULL;
    }
    *most = *most < all - first ? *most : all - first;
    uint32_t *numbers = malloc((size_t)(*most ? *most : 1) * sizeof *numbers);
    if (!numbers) {
        PyErr_NoMemory();
        return NULL;
    }
    memcpy(numbers, ranking + 4 * first, (size_t)*most * 4);
    for (Py_ssize_t i = 0; i < *most; i++)
        if (numbers[i] >= table->slots || !is_word(&table->entries[numbers[i]])) {
            free(numbers);
            PyErr_SetString(PyExc_ValueError, "not a ranking of this table");
            return NULL;
        }
    return numbers;
}

/* zadd(key, ranking, first, most): a ZADD of this part of a ranking. */
static PyObject *
Table_zadd(TableObject *self, PyObject *args)
{
    const char *key, *ranking;
    Py_ssize_t key_length, size, first, most;
    if (!PyArg_ParseTuple(args, "y#y#nn", &key, &key_length, &ranking, &size, &first, &most) ||
        begin(self))
        return NULL;
    const Table *table = &self->table;
    PyObject *command = NULL;
    uint32_t *numbers = chosen_numbers(table, ranking, size, first, &most);
    if (numbers) {
        uint8_t *room, *end = NULL;
        Py_BEGIN_ALLOW_THREADS
        room = malloc(zadd_room(table, numbers, (size_t)most, (size_t)key_length));
        if (room)
            end = write_zadd(room, table, numbers, (size_t)most, (const uint8_t *)key,
                             (size_t)key_length);
        Py_END_ALLOW_THREADS
        command = room ? PyBytes_FromStringAndSize((const char *)room, end - room)
                       : PyErr_NoMemory();
        free(room);
        free(numbers);
    }
    self->busy = false;
    return command;
}

static PyObject *
Table_get(TableObject *self, PyObject *text)
{
    Word word;
    if (word_from(&self->table, text, &word) || begin(self))
        return NULL;
    const Entry *entry = find(&self->table, &word);
    self->busy = false;
    return PyLong_FromUnsignedLongLong(entry ? entry->count : 0);
}

static Py_ssize_t
Table_length(TableObject *self)
{
    return (Py_ssize_t)self->table.live;
}

static PyObject *
Table_total(TableObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLongLong(self->table.total);
}

static PyObject *
Table_memory(TableObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromSize_t(memory_of(&self->table));
}

static PyMethodDef Table_methods[] = {
    {"feed", (PyCFunction)Table_feed, METH_O,
     "Count the words that a piece of UTF-8 finishes. Raises BadText(offset, reason)."},
    {"finish", (PyCFunction)Table_finish, METH_NOARGS,
     "Count the word that the end of the text finishes. Raises BadText(offset, reason)."},
    {"add", (PyCFunction)Table_add, METH_VARARGS,
     "Add the counts of deltas; many at once take less time. Raises BadDelta."},
    {"subtract", (PyCFunction)Table_subtract, METH_O,
     "Take a delta's counts away. Raises BadDelta, or ValueError for a negative count."},
    {"pack", (PyCFunction)Table_pack, METH_NOARGS, "All counts as one delta."},
    {"drain", (PyCFunction)Table_drain, METH_NOARGS,
     "All counts as one delta; the table is empty afterwards. Takes less memory than pack()."},
    {"top", (PyCFunction)Table_top, METH_O, "The k most frequent words, 0 for all."},
    {"rows", (PyCFunction)Table_rows, METH_VARARGS,
     "rows(first, most): (the next first, 0 at the end; some (word, count))."},
    {"ranking", (PyCFunction)Table_ranking, METH_O,
     "The order in which zadd() is to have the k most frequent words, 0 for all."},
    {"zadd", (PyCFunction)Table_zadd, METH_VARARGS,
     "zadd(key, ranking, first, most): the ZADD command of a part of the ranking, as bytes."},
    {"get", (PyCFunction)Table_get, METH_O, "How often a word was counted."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef Table_properties[] = {
    {"total", (getter)Table_total, NULL, "The sum of all counts.", NULL},
    {"memory", (getter)Table_memory, NULL, "Bytes that the table takes.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot Table_slots[] = {
    {Py_tp_doc, "Table(seed, parted=False): words and how often each was counted. "
                "Parted, it is made for deltas, and slower with text."},
    {Py_tp_new, Table_new},
    {Py_tp_dealloc, Table_dealloc},
    {Py_sq_length, Table_length},
    {Py_tp_methods, Table_methods},
    {Py_tp_getset, Table_properties},
    {0, NULL},
};

static PyType_Spec Table_spec = {
    .name = "wc.counts._kernel.Table",
    .basicsize = sizeof(TableObject),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = Table_slots,
};

static struct PyModuleDef kernel_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "wc.counts._kernel",
    .m_doc = "Counting and folding, compiled. Use wc.counts.kernel.",
    .m_size = -1,
};

PyMODINIT_FUNC
PyInit__kernel(void)
{
    PyObject *xxhash = PyImport_ImportModule("xxhash");
    if (!xxhash)
        return NULL;
    xxh3_128 = PyObject_GetAttrString(xxhash, "xxh3_128_digest");
    Py_DECREF(xxhash);
    if (!xxh3_128)
        return NULL;
    PyObject *module = PyModule_Create(&kernel_module);
    PyObject *type = module ? PyType_FromSpec(&Table_spec) : NULL;
    if (!type) {
        Py_XDECREF(module);
        return NULL;
    }
    BadText = PyErr_NewException("wc.counts._kernel.BadText", PyExc_ValueError, NULL);
    BadDelta = PyErr_NewException("wc.counts._kernel.BadDelta", PyExc_ValueError, NULL);
    if (!BadText || !BadDelta || PyModule_AddObjectRef(module, "BadText", BadText) < 0 ||
        PyModule_AddObjectRef(module, "BadDelta", BadDelta) < 0 ||
        PyModule_AddObjectRef(module, "Table", type) < 0 || add_readers(module) < 0) {
        Py_CLEAR(module);
    }
    TableType = (PyTypeObject *)type; /* kept for good, as the exceptions are */
    return module;
}
