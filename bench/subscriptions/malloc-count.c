/* Counts the bytes that a process has allocated and not freed, for `memory.js`: it is loaded with
 * LD_PRELOAD, and keeps its count in the file that MALLOC_COUNT_FILE names. Resident memory would
 * include what allocators hold in reserve, which is more than what is measured. For glibc. */

#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

/* What glibc keeps with each allocation. */
#define HEADER sizeof(size_t)

static _Atomic long early;
static _Atomic long *count = &early;

__attribute__((constructor)) static void begin(void) {
  const char *name = getenv("MALLOC_COUNT_FILE");
  int fd = name ? open(name, O_RDWR | O_CREAT, 0600) : -1;
  if (fd < 0 || ftruncate(fd, sizeof(long)) != 0) return;
  void *shared = mmap(NULL, sizeof(long), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (shared == MAP_FAILED) return;
  *(_Atomic long *)shared = early;
  count = shared;
}

static void *gained(void *p) {
  if (p) atomic_fetch_add_explicit(count, malloc_usable_size(p) + HEADER, memory_order_relaxed);
  return p;
}

static size_t size_of(void *p) { return p ? malloc_usable_size(p) + HEADER : 0; }

static void lost(size_t size) { atomic_fetch_sub_explicit(count, size, memory_order_relaxed); }

void *malloc(size_t size) { return gained(__libc_malloc(size)); }

void *calloc(size_t n, size_t size) { return gained(__libc_calloc(n, size)); }

void *realloc(void *old, size_t size) {
  size_t before = size_of(old);
  void *p = __libc_realloc(old, size);
  if (p || size == 0) lost(before);
  return gained(p);
}

void *memalign(size_t alignment, size_t size) { return gained(__libc_memalign(alignment, size)); }

void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **result, size_t alignment, size_t size) {
  void *p = memalign(alignment, size);
  if (!p) return 12; /* ENOMEM */
  *result = p;
  return 0;
}

void free(void *p) {
  lost(size_of(p));
  __libc_free(p);
}
