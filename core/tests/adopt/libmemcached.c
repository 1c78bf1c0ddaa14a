/* Made libmemcached.json, by asking libmemcached itself:
 *   cc libmemcached.c -lmemcached -o ask && ./ask > libmemcached.json */
#include <libmemcached/memcached.h>
#include <stdio.h>
#include <string.h>
typedef struct { const char *host; unsigned port, weight; } S;
static void run(const char *name, S *s, int n, int last) {
  memcached_st *m = memcached_create(NULL);
  memcached_behavior_set(m, MEMCACHED_BEHAVIOR_KETAMA_WEIGHTED, 1);
  for (int i = 0; i < n; i++) if (memcached_server_add_with_weight(m, s[i].host, s[i].port, s[i].weight)) return;
  printf("    {\"name\":\"%s\",\"servers\":[", name);
  for (int i = 0; i < n; i++) {
    if (s[i].port == 11211) printf("%s{\"name\":\"%s\",\"weight\":%u}", i ? "," : "", s[i].host, s[i].weight);
    else printf("%s{\"name\":\"%s:%u\",\"weight\":%u}", i ? "," : "", s[i].host, s[i].port, s[i].weight);
  }
  printf("],\"owners\":[");
  char key[64];
  for (int k = 0; k < 500; k++) {
    sprintf(key, "user:%d", k);
    printf("%s%u", k ? "," : "", memcached_generate_hash(m, key, strlen(key)));
  }
  printf("]}%s\n", last ? "" : ",");
  memcached_free(m);
}
int main(void) {
  printf("{\"ketama\": {\n  \"about\": \"What libmemcached %s answers for the keys user:0 to user:499: the place of the server in the list. Weighted ketama, MD5.\",\n  \"cases\": [\n", LIBMEMCACHED_VERSION_STRING);
  S one[] = {{"cache", 11211, 1}};
  S equal[] = {{"10.0.1.1", 11211, 1}, {"10.0.1.2", 11211, 1}, {"10.0.1.3", 11211, 1}, {"10.0.1.4", 11211, 1}};
  S ports[] = {{"10.0.1.1", 11211, 600}, {"10.0.1.2", 11212, 300}, {"10.0.1.3", 11213, 200}, {"10.0.1.4", 11211, 350}, {"10.0.1.5", 11211, 1000}, {"10.0.1.6", 11300, 800}, {"10.0.1.7", 11211, 950}, {"10.0.1.8", 11211, 100}};
  S odd[] = {{"a.example.org", 11211, 1}, {"b.example.org", 11222, 3}, {"c.example.org", 11211, 7}};
  S heavy[] = {{"10.1.0.1", 11211, 4294967295u}, {"10.1.0.2", 11211, 1}, {"10.1.0.3", 11211, 2147483648u}};
  run("one", one, 1, 0); run("equal", equal, 4, 0); run("weights and ports", ports, 8, 0); run("thirds", odd, 3, 0); run("heavy", heavy, 3, 1);
  printf("  ]\n}}\n");
}
