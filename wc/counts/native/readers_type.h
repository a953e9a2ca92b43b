/* The types Letters and Tweets, which count one stream's words into a Table. Included by _kernel.c.
 *
 * They wrap scan/letters.h and scan/tweets.h, whose callbacks are answered by Python here: what a letter
 * is, its lower case, and which column of a CSV file is the text.
 */
#ifndef FAULTLINE_READERS_H
#define FAULTLINE_READERS_H

static PyObject *BadRecord;   /* (record, line, its fields or 0 for an open quote, fields expected) */
static PyObject *str_isalpha; /* methods of str, not bound */
static PyObject *str_lower;

/* Bytes of text that are read before the interpreter's lock is taken again. */
#define SOME_BYTES ((size_t)1 << 20)

/* A reader, which keeps its table alive. */
typedef struct {
    PyObject_HEAD
    TableObject *into;
    union {
        Letters letters;
        Tweets tweets;
    } state;
    PyObject *columns; /* Tweets: called with (header, whether the stream ends with it) */
} ReaderObject;

/* Allocate a reader for a table and, for Tweets, a callable. */
static ReaderObject *
new_reader(PyTypeObject *type, PyObject *table, PyObject *columns)
{
    if (!PyObject_TypeCheck(table, TableType)) {
        PyErr_SetString(PyExc_TypeError, "a Table expected");
        return NULL;
    }
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    ReaderObject *self = (ReaderObject *)allocate(type, 0); /* zeroed */
    if (self) {
        Py_INCREF(table);
        self->into = (TableObject *)table;
        Py_XINCREF(columns);
        self->columns = columns;
    }
    return self;
}

static void
free_reader(ReaderObject *self)
{
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    Py_XDECREF((PyObject *)self->into);
    Py_XDECREF(self->columns);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

/* ---------------------------------------------------------------- letters */

static int learn_page(Alphabet *alphabet, uint32_t page);

/* Shared by all streams. */
static Alphabet alphabet = {.learn = learn_page};

static int
learn_page(Alphabet *known, uint32_t page)
{
    uint64_t letters[PAGE / 64] = {0};
    PyGILState_STATE lock = PyGILState_Ensure();
    bool raised = false;
    for (uint32_t i = 0; !raised && i < PAGE; i++) {
        PyObject *text = PyUnicode_FromOrdinal((int)(page * PAGE + i));
        PyObject *is = text ? PyObject_CallFunctionObjArgs(str_isalpha, text, NULL) : NULL;
        letters[i / 64] |= (uint64_t)(is == Py_True) << i % 64;
        raised = !is;
        Py_XDECREF(is);
        Py_XDECREF(text);
    }
    if (!raised)
        remember(known, page, letters);
    PyGILState_Release(lock);
    return raised ? CALLBACK_FAILED : OK; /* the exception stays this thread's */
}

static PyObject *
Letters_new(PyTypeObject *type, PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    PyObject *table;
    if (!PyArg_ParseTuple(args, "O", &table))
        return NULL;
    ReaderObject *self = new_reader(type, table, NULL);
    if (self)
        self->state.letters.alphabet = &alphabet;
    return (PyObject *)self;
}

static void
Letters_dealloc(ReaderObject *self)
{
    free_table(&self->state.letters.wide);
    free_reader(self);
}

/* Lower-case and count some words of the wide table from slot `*first` on. True with an exception if
 * that fails. */
static bool
lowered_raised(Table *table, const Table *wide, size_t *first)
{
    size_t begun = *first, length;
    uint8_t *joined = join_words(wide, first, &length);
    if (!joined)
        return failed_with(NO_MEMORY);
    PyObject *text = PyUnicode_DecodeUTF8((const char *)joined, (Py_ssize_t)length, "strict");
    free(joined);
    PyObject *lower = text ? PyObject_CallFunctionObjArgs(str_lower, text, NULL) : NULL;
    Py_ssize_t size;
    const char *bytes = lower ? PyUnicode_AsUTF8AndSize(lower, &size) : NULL;
    int failure = CALLBACK_FAILED;
    if (bytes) {
        failure = count_lowered(table, wide, begun, *first, (const uint8_t *)bytes, (size_t)size);
        if (failure == CALLBACK_FAILED)
            PyErr_SetString(PyExc_SystemError, "str.lower() made or took newlines");
    }
    Py_XDECREF(lower);
    Py_XDECREF(text);
    return failure == CALLBACK_FAILED || failed_with(failure);
}

/* Count the words of the wide table and empty it, if it takes more than `most` bytes. True with an
 * exception if that fails. */
static bool
settled_raised(Table *table, Table *wide, size_t most)
{
    if (!wide->slots || memory_of(wide) <= most)
        return false;
    bool raised = false;
    for (size_t i = 0; !raised && i < wide->slots;)
        raised = lowered_raised(table, wide, &i);
    return raised || failed_with(empty_table(wide));
}

static PyObject *
Letters_feed(ReaderObject *self, PyObject *argument)
{
    Py_buffer piece;
    if (PyObject_GetBuffer(argument, &piece, PyBUF_SIMPLE))
        return NULL;
    if (begin(self->into)) {
        PyBuffer_Release(&piece);
        return NULL;
    }
    Letters *letters = &self->state.letters;
    Table *table = &self->into->table;
    const uint8_t *at = piece.buf;
    size_t left = (size_t)piece.len;
    const char *reason = NULL;
    uint64_t where = 0;
    int failure = OK;
    bool raised = false;
    while (left > 0 && failure == OK && !raised) {
        size_t some = left < SOME_BYTES ? left : SOME_BYTES;
        Py_BEGIN_ALLOW_THREADS
        failure = feed_letters(letters, table, at, some, &reason, &where);
        Py_END_ALLOW_THREADS
        if (failure == OK)
            raised = settled_raised(table, &letters->wide, KEPT_BYTES / 2);
        at += some;
        left -= some;
    }
    self->into->busy = false;
    PyBuffer_Release(&piece);
    return raised ? NULL : fed(failure, reason, where);
}

static PyObject *
Letters_finish(ReaderObject *self, PyObject *Py_UNUSED(ignored))
{
    if (begin(self->into))
        return NULL;
    Letters *letters = &self->state.letters;
    Table *table = &self->into->table;
    const char *reason = NULL;
    uint64_t where = 0;
    int failure = finish_letters(letters, table, &reason, &where);
    bool raised = failure == OK && settled_raised(table, &letters->wide, 0);
    self->into->busy = false;
    return raised ? NULL : fed(failure, reason, where);
}

/* ---------------------------------------------------------------- tweets */

static int
ask_for_columns(Tweets *tweets, const uint8_t *header, size_t length, bool last)
{
    ReaderObject *self =
        (ReaderObject *)(void *)((char *)tweets - offsetof(ReaderObject, state.tweets));
    PyGILState_STATE lock = PyGILState_Ensure();
    PyObject *answer = PyObject_CallFunction(self->columns, "y#O", (const char *)header,
                                             (Py_ssize_t)length, last ? Py_True : Py_False);
    unsigned long long wanted = 0, width = 0;
    if (answer && !PyTuple_Check(answer)) {
        PyErr_SetString(PyExc_TypeError, "two numbers expected of who reads a header");
        Py_CLEAR(answer);
    }
    bool told = answer && PyArg_ParseTuple(answer, "KK", &wanted, &width);
    tweets->wanted = wanted;
    tweets->width = width;
    Py_XDECREF(answer);
    PyGILState_Release(lock);
    return told ? OK : CALLBACK_FAILED; /* the exception stays this thread's */
}

static PyObject *
Tweets_new(PyTypeObject *type, PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    PyObject *table, *columns;
    if (!PyArg_ParseTuple(args, "OO", &table, &columns))
        return NULL;
    ReaderObject *self = new_reader(type, table, columns);
    if (self)
        self->state.tweets.read_header = ask_for_columns;
    return (PyObject *)self;
}

/* Raise what feeding or finishing tweets failed with, or return None. */
static PyObject *
read_tweets(const Tweets *tweets, int failure, const char *reason, uint64_t where)
{
    if (failure != BAD_RECORD)
        return fed(failure, reason, where);
    PyObject *value = Py_BuildValue(
        "(KKKK)", (unsigned long long)tweets->record, (unsigned long long)tweets->record_line + 1,
        tweets->unclosed ? 0ull : (unsigned long long)tweets->field + 1,
        (unsigned long long)tweets->width);
    if (value) {
        PyErr_SetObject(BadRecord, value);
        Py_DECREF(value);
    }
    return NULL;
}

static PyObject *
Tweets_feed(ReaderObject *self, PyObject *argument)
{
    Py_buffer piece;
    if (PyObject_GetBuffer(argument, &piece, PyBUF_SIMPLE))
        return NULL;
    if (begin(self->into)) {
        PyBuffer_Release(&piece);
        return NULL;
    }
    Tweets *tweets = &self->state.tweets;
    const char *reason = NULL;
    uint64_t where = 0;
    int failure;
    Py_BEGIN_ALLOW_THREADS
    failure = feed_tweets(tweets, &self->into->table, piece.buf, (size_t)piece.len, &reason,
                          &where);
    Py_END_ALLOW_THREADS
    self->into->busy = false;
    PyBuffer_Release(&piece);
    return read_tweets(tweets, failure, reason, where);
}

static PyObject *
Tweets_finish(ReaderObject *self, PyObject *Py_UNUSED(ignored))
{
    if (begin(self->into))
        return NULL;
    const char *reason = NULL;
    uint64_t where = 0;
    int failure = finish_tweets(&self->state.tweets, &self->into->table, &reason, &where);
    self->into->busy = false;
    return read_tweets(&self->state.tweets, failure, reason, where);
}

/* ---------------------------------------------------------------- types */

#define FEED(type) {"feed", (PyCFunction)type##_feed, METH_O, \
    "Count the words that a piece of UTF-8 finishes. Raises BadText, or BadRecord."}
#define FINISH(type) {"finish", (PyCFunction)type##_finish, METH_NOARGS, \
    "Count the words that the end of the text finishes. Raises BadText, or BadRecord."}

static PyMethodDef Letters_methods[] = {FEED(Letters), FINISH(Letters), {NULL, NULL, 0, NULL}};
static PyMethodDef Tweets_methods[] = {FEED(Tweets), FINISH(Tweets), {NULL, NULL, 0, NULL}};

static PyType_Slot Letters_slots[] = {
    {Py_tp_doc, "Letters(table): a stream of text, whose runs of letters a table counts."},
    {Py_tp_new, Letters_new},
    {Py_tp_dealloc, Letters_dealloc},
    {Py_tp_methods, Letters_methods},
    {0, NULL},
};

static PyType_Slot Tweets_slots[] = {
    {Py_tp_doc,
     "Tweets(table, columns): a CSV file, the words of whose text column a table counts. "
     "columns(header, last) tells (that column's index, how many columns there are)."},
    {Py_tp_new, Tweets_new},
    {Py_tp_dealloc, free_reader},
    {Py_tp_methods, Tweets_methods},
    {0, NULL},
};

static PyType_Spec Letters_spec = {
    .name = "wc.counts._kernel.Letters",
    .basicsize = sizeof(ReaderObject),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = Letters_slots,
};

static PyType_Spec Tweets_spec = {
    .name = "wc.counts._kernel.Tweets",
    .basicsize = sizeof(ReaderObject),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = Tweets_slots,
};

/* Add these types and their exceptions to the module. */
static int
add_readers(PyObject *module)
{
    str_isalpha = PyObject_GetAttrString((PyObject *)&PyUnicode_Type, "isalpha");
    str_lower = PyObject_GetAttrString((PyObject *)&PyUnicode_Type, "lower");
    BadRecord = PyErr_NewException("wc.counts._kernel.BadRecord", PyExc_ValueError, NULL);
    if (!str_isalpha || !str_lower || !BadRecord ||
        PyModule_AddObjectRef(module, "BadRecord", BadRecord) < 0)
        return -1;
    PyType_Spec *specs[] = {&Letters_spec, &Tweets_spec};
    for (unsigned i = 0; i < 2; i++) {
        PyObject *type = PyType_FromSpec(specs[i]);
        int failed = type ? PyModule_AddType(module, (PyTypeObject *)type) : -1;
        Py_XDECREF(type);
        if (failed)
            return -1;
    }
    return 0;
}

#endif
