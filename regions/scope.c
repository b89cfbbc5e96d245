/* SPDX-License-Identifier: MIT */
/*
 * scope.c -- a region with the braces of a block.
 *
 * The block form keeps two flags: reached_end is set when the body was left by
 * its end or by `continue`; left makes the clean-up that runs on every way out
 * do its work once.
 *
 *   REG-CLOSE-2  Falling off the end joins the children.
 *   REG-CLOSE-3  Leaving any other way cancels them first.
 */
#include "regions/region.h"

static struct region *block_region(struct ambit_scope_block *block)
{
    return (struct region *)(void *)block->room;
}

/* Those of a program built with an older header end sooner: the rest, in `room`, is
 * not asked for. */
static const struct ambit_scope_options *
take_options(const struct ambit_scope_options *given,
             struct ambit_scope_options *room)
{
    if (given != NULL && LIKELY(given->size_ >= sizeof *room)) {
        return given;
    }
    memset(room, 0, sizeof *room);
    if (given != NULL) {
        memcpy(room, given, given->size_);
    }
    return room;
}

int ambit_scope_open(ambit_cx *cx, struct ambit_scope_block *block,
                     const struct ambit_scope_options *options)
{
    struct task *host = task_of(cx);
    struct ambit_scope_options room;
    block->cx = cx;
    block->rc = NULL;
    block->region = NULL;
    block->reached_end = false;
    block->left = true;
    if (task_is_at_large(host)) {
        return -EPERM;
    }
    int rc = region_need(host);
    if (rc == 0) {
        rc = region_open(block_region(block), region_of_owner(host->scope),
                         host, take_options(options, &room));
    }
    if (rc < 0) {
        return rc;
    }
    block->region = (ambit_region *)(void *)block_region(block);
    block->left = false;
    return 0;
}

int ambit_scope_close(ambit_cx *cx, struct ambit_scope_block *block,
                      int body_rc)
{
    struct region *region = block_region(block);
    RULE(REG_NEST_1);
    REQUIRE(!block->left, "ambit_scope_close on a scope that is not open");
    REQUIRE(task_of(cx) == region->host,
            "a scope is closed by the task that opened it");
    REQUIRE(region->host->scope == &region->owner,
            "scopes are closed innermost first");
    block->left = true;
    RULE(REG_CLOSE_7);
    bool echo = body_rc == -ECANCELED && region_is_cancelled(region);
    int result = region_close(region, body_rc < 0);
    return body_rc < 0 && !echo ? body_rc : result;
}

struct ambit_scope_block *
ambit_scope_enter_(ambit_cx *cx, struct ambit_scope_block *block, int *rc,
                   const struct ambit_scope_options *options)
{
    int opened = ambit_scope_open(cx, block, options);
    block->rc = rc;
    block->rc_before = *rc;
    if (opened < 0) {
        *rc = *rc < 0 ? *rc : opened;
        return NULL;
    }
    return block;
}

/* A body that stored the -ECANCELED which this very scope's cancel gave it has
 * not failed; an earlier failure stays. */
static void settle(struct ambit_scope_block *block, int result, bool cancelled)
{
    bool echo = cancelled && block->rc_before >= 0 && *block->rc == -ECANCELED;
    RULE(REG_CLOSE_6);
    if (*block->rc >= 0 || echo) {
        *block->rc = result < 0 || echo ? result : *block->rc;
    }
}

void ambit_scope_leave_(struct ambit_scope_block *block)
{
    if (block->left) {
        return;
    }
    struct region *region = block_region(block);
    REQUIRE(region->host->scope == &region->owner,
            "scopes are closed innermost first");
    block->left = true;
    bool early = !block->reached_end;
    if (early) {
        RULE(REG_CLOSE_3);
    } else {
        RULE(REG_CLOSE_2);
    }
    int result = region_close(region, early);
    settle(block, result, region_is_cancelled(region));
}

ambit_region *ambit_cx_region(ambit_cx *cx)
{
    return (ambit_region *)(void *)region_current(task_of(cx));
}

uint32_t ambit_region_tasks(ambit_region *region)
{
    return seats_tasks(region_of(region));
}
