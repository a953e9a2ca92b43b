/* The compiled kernel's module: counting and folding (wc/counts/kernel.py says what a kernel is).
 *
 * A Table maps words to counts (table/table.h). It is fed with text (scan/text.h), with words, or with
 * deltas (deltas_type.h).
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
#include "deltas/pack.h"
#include "scan/text.h"

typedef struct {
    PyObject_HEAD
    bool busy;
    Table table;
} TableObject;

static PyTypeObject *TableType;
static PyObject *BadText;  /* (offset, the bytes from there on, four at most) */
static PyObject *LongWord;
static PyObject *BadDelta; /* (reason) */
static PyObject *xxh3_128; /* the checksum of deltas */

static int
begin(TableObject *self)
{
    if (self->busy) {
        PyErr_SetString(PyExc_RuntimeError, "this tally is in use by another thread");
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
    else if (failure == LONG_WORD)
        PyErr_SetNone(LongWord);
    else if (failure == TOO_LARGE)
        PyErr_SetString(PyExc_OverflowError, "more than 2^32 distinct words, or a word of more than "
                                             "2^32 bytes, or a sum of counts of more than 64 bits");
    return failure != OK;
}

static PyObject *
Table_new(PyTypeObject *type, PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    unsigned long long random;
    if (!PyArg_ParseTuple(args, "K", &random))
        return NULL;
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    TableObject *self = (TableObject *)allocate(type, 0); /* zeroed */
    if (self && failed_with(begin_table(&self->table, random)))
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

/* Feed text to a table, or end it if there is no piece. None, or NULL with an exception. */
static PyObject *
fed(TableObject *self, const Py_buffer *piece, TableObject *wide)
{
    if (begin(self))
        return NULL;
    if (wide && begin(wide)) {
        self->busy = false;
        return NULL;
    }
    Table *table = &self->table, *others = wide ? &wide->table : NULL;
    int failure;
    Py_BEGIN_ALLOW_THREADS
    failure = piece ? feed(table, others, piece->buf, (size_t)piece->len) : finish(table, others);
    Py_END_ALLOW_THREADS
    self->busy = false;
    if (wide)
        wide->busy = false;
    if (failure == BAD_TEXT) {
        size_t left = table->end - table->valid;
        PyObject *value = Py_BuildValue("(Ky#)", (unsigned long long)(table->offset + table->valid),
                                        (const char *)table->buffer + table->valid,
                                        (Py_ssize_t)(left < 4 ? left : 4));
        PyErr_SetObject(BadText, value);
        Py_XDECREF(value);
        return NULL;
    }
    if (failed_with(failure))
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *
Table_feed(TableObject *self, PyObject *args)
{
    Py_buffer piece;
    TableObject *wide = NULL;
    if (!PyArg_ParseTuple(args, "y*|O!", &piece, TableType, &wide))
        return NULL;
    PyObject *done = fed(self, &piece, wide);
    PyBuffer_Release(&piece);
    return done;
}

static PyObject *
Table_finish(TableObject *self, PyObject *args)
{
    TableObject *wide = NULL;
    return PyArg_ParseTuple(args, "|O!", TableType, &wide) ? fed(self, NULL, wide) : NULL;
}

static PyObject *
Table_clear(TableObject *self, PyObject *Py_UNUSED(ignored))
{
    if (begin(self))
        return NULL;
    int failure = empty_table(&self->table);
    self->busy = false;
    if (failed_with(failure))
        return NULL;
    Py_RETURN_NONE;
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
    *word = word_at(table, (const uint8_t *)bytes, (size_t)length, false);
    return 0;
}

/* count(words, times): count each of a list's words so often. */
static PyObject *
Table_count(TableObject *self, PyObject *args)
{
    PyObject *words;
    unsigned long long times = 1;
    if (!PyArg_ParseTuple(args, "O!|K", &PyList_Type, &words, &times) || begin(self))
        return NULL;
    Table *table = &self->table;
    int raised = 0;
    for (Py_ssize_t i = 0; !raised && i < PyList_Size(words); i++) {
        Word word;
        raised = failed_with(reserve_words(table, 1)) ||
                 word_from(table, PyList_GetItem(words, i), &word) ||
                 failed_with(add_at(table, &word, times));
        table->total += raised ? 0 : times;
    }
    self->busy = false;
    if (raised)
        return NULL;
    Py_RETURN_NONE;
}

#include "deltas_type.h"

static PyObject *
pair_of(const Table *table, const Entry *entry)
{
    return Py_BuildValue("(s#K)", (const char *)word_of(table, entry),
                         (Py_ssize_t)length_of(entry), (unsigned long long)entry->count);
}

/* The first k words of sorted rows, the last ones first. NULL with an exception. */
static PyObject *
pairs_of(const Table *table, const Row *last, Py_ssize_t most)
{
    PyObject *pairs = PyList_New(most);
    for (Py_ssize_t i = 0; pairs && i < most; i++) {
        PyObject *pair = pair_of(table, (--last)->entry);
        if (!pair || PyList_SetItem(pairs, i, pair))
            Py_CLEAR(pairs);
    }
    return pairs;
}

static PyObject *
Table_top(TableObject *self, PyObject *argument)
{
    Py_ssize_t most = PyNumber_AsSsize_t(argument, PyExc_OverflowError);
    if (most == -1 && PyErr_Occurred())
        return NULL;
    if (most < 0)
        return PyErr_Format(PyExc_ValueError, "top %zd: 0 (for all words) or more expected", most);
    if (begin(self))
        return NULL;
    const Table *table = &self->table;
    if (most == 0 || (size_t)most > table->live)
        most = (Py_ssize_t)table->live;
    size_t many;
    Row *rows;
    Py_BEGIN_ALLOW_THREADS
    rows = top_rows(table, (size_t)most, &many);
    Py_END_ALLOW_THREADS
    PyObject *pairs = rows ? pairs_of(table, rows + many, most) : PyErr_NoMemory();
    free(rows);
    self->busy = false;
    return pairs;
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
    for (; rows && number < all_slots(table) && PyList_Size(rows) < most; number++) {
        const Entry *entry = &table->entries[number];
        if (!entry->count)
            continue;
        PyObject *row = pair_of(table, entry);
        if (!row || PyList_Append(rows, row))
            Py_CLEAR(rows);
        Py_XDECREF(row);
    }
    size_t next = number < all_slots(table) ? number : 0;
    self->busy = false;
    return rows ? Py_BuildValue("nN", (Py_ssize_t)next, rows) : NULL;
}

static PyObject *
Table_get(TableObject *self, PyObject *text)
{
    Word word;
    if (word_from(&self->table, text, &word) || begin(self))
        return NULL;
    uint64_t count = find(&self->table, &word)->count;
    self->busy = false;
    return PyLong_FromUnsignedLongLong(count);
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
    {"feed", (PyCFunction)Table_feed, METH_VARARGS,
     "feed(piece[, wide]): count the words between white space that a piece of UTF-8 ends. With a table "
     "for wide ones: runs of ASCII letters, lower-cased, and wider characters; it counts all that "
     "are not ASCII. Raises BadText(offset, bytes), LongWord."},
    {"finish", (PyCFunction)Table_finish, METH_VARARGS,
     "finish([wide]): count the word that the end of the text ends. Raises as feed() does."},
    {"count", (PyCFunction)Table_count, METH_VARARGS,
     "count(words, times=1): count each word of a list so often."},
    {"add", (PyCFunction)Table_add, METH_VARARGS,
     "Add the counts of deltas; many at once take less time. Raises BadDelta."},
    {"subtract", (PyCFunction)Table_subtract, METH_O,
     "Take a delta's counts away. Raises BadDelta, or ValueError for a negative count."},
    {"pack", (PyCFunction)Table_pack, METH_NOARGS, "All counts as one delta."},
    {"clear", (PyCFunction)Table_clear, METH_NOARGS, "Remove all words."},
    {"top", (PyCFunction)Table_top, METH_O, "The k most frequent words, 0 for all."},
    {"rows", (PyCFunction)Table_rows, METH_VARARGS,
     "rows(first, most): (the next first, 0 at the end; some (word, count))."},
    {"get", (PyCFunction)Table_get, METH_O, "How often a word was counted."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef Table_properties[] = {
    {"total", (getter)Table_total, NULL, "The sum of all counts.", NULL},
    {"memory", (getter)Table_memory, NULL, "Bytes that the table takes.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot Table_slots[] = {
    {Py_tp_doc, "Table(random): words and how often each was counted."},
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
    LongWord = PyErr_NewException("wc.counts._kernel.LongWord", PyExc_ValueError, NULL);
    BadDelta = PyErr_NewException("wc.counts._kernel.BadDelta", PyExc_ValueError, NULL);
    if (!BadText || !LongWord || !BadDelta || PyModule_AddObjectRef(module, "BadText", BadText) < 0 ||
        PyModule_AddObjectRef(module, "LongWord", LongWord) < 0 ||
        PyModule_AddObjectRef(module, "BadDelta", BadDelta) < 0 ||
        PyModule_AddObjectRef(module, "Table", type) < 0) {
        Py_CLEAR(module);
    }
    TableType = (PyTypeObject *)type; /* kept for good, as the exceptions are */
    return module;
}
