//! Writes the counts of [`Meter`](super::meter::Meter) into an expression. Step of the flow: match (loading playbooks).
//!
//! cel copies a value where it binds or keeps it: the items of a loop, the elements of a list, the argument of an operator
//! that makes a new value. Each such place counts the value before it copies.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue, operators};

use super::meter::Counted;

/// The names of types, and the namespace of `optional.of`.
pub(super) const TYPES: &[&str] = &[
    "bool",
    "bytes",
    "double",
    "dyn",
    "int",
    "list",
    "map",
    "null_type",
    "optional",
    "string",
    "type",
    "uint",
];

/// The same expression, which counts its steps.
pub(super) fn metered(mut expression: IdedExpr) -> IdedExpr {
    write(&mut expression);
    expression
}

fn write(expression: &mut IdedExpr) {
    match &mut expression.expr {
        Expr::Unspecified | Expr::Literal(_) | Expr::Ident(_) | Expr::Struct(_) => {}
        Expr::Select(select) => write(&mut select.operand),
        Expr::Call(call) => {
            arguments(call);
            if matches!(call.func_name.as_str(), operators::OPT_INDEX | operators::OPT_SELECT) {
                counted(expression, Counted::Argument, 0);
            }
        }
        Expr::List(list) => list.elements.iter_mut().enumerate().for_each(|(index, element)| {
            write(element);
            counted(element, kept(list.optional_indices.contains(&index)), 0);
        }),
        Expr::Map(map) => {
            for entry in &mut map.entries {
                if let EntryExpr::MapEntry(entry) = &mut entry.expr {
                    for part in [&mut entry.key, &mut entry.value] {
                        write(part);
                        counted(part, kept(entry.optional), 0);
                    }
                }
            }
        }
        Expr::Comprehension(each) => comprehension(each),
    }
}

/// An optional element is unwrapped before it is kept.
const fn kept(is_optional: bool) -> Counted {
    if is_optional { Counted::Argument } else { Counted::Kept }
}

fn arguments(call: &mut CallExpr) {
    if let Some(target) = &mut call.target {
        // `optional` in `optional.of(x)` is a part of the function's name.
        if !matches!(&target.expr, Expr::Ident(name) if TYPES.contains(&name.as_str())) {
            write(target);
            counted(target, Counted::Argument, 0);
        }
    }
    let name = call.func_name.as_str();
    for (index, argument) in call.args.iter_mut().enumerate() {
        write(argument);
        match name {
            // They take only booleans, or hand on what they are given.
            operators::LOGICAL_AND
            | operators::LOGICAL_OR
            | operators::LOGICAL_NOT
            | operators::NOT_STRICTLY_FALSE
            | operators::CONDITIONAL
            | operators::INDEX
            | operators::OPT_INDEX
            | operators::OPT_SELECT => {}
            operators::IN if index == 1 => counted(argument, Counted::Searched, 0),
            _ => counted(argument, Counted::Argument, 0),
        }
    }
}

fn comprehension(each: &mut ComprehensionExpr) {
    let parts = parts(&each.loop_cond).saturating_add(parts(&each.loop_step));
    write(&mut each.iter_range);
    counted(&mut each.iter_range, Counted::Items, parts);
    if !matches!(each.accu_init.expr, Expr::Literal(_)) {
        write(&mut each.accu_init);
        counted(&mut each.accu_init, Counted::Argument, 0);
    }
    write(&mut each.loop_cond);
    step(&mut each.loop_step, &each.accu_var);
    write(&mut each.result);
}

/// The step of a loop. cel appends to the list that map() and filter() make in place where the step is `list + [item]` to
/// the letter, so that the list itself is not wrapped.
fn step(expression: &mut IdedExpr, result: &str) {
    match &mut expression.expr {
        Expr::Call(call) if call.func_name == operators::CONDITIONAL => {
            call.args.iter_mut().for_each(|argument| step(argument, result));
        }
        Expr::Call(call) if appends(call, result) => call.args.iter_mut().skip(1).for_each(write),
        _ => write(expression),
    }
}

/// Whether this is `result + item`, which only macros write.
pub(super) fn appends(call: &CallExpr, result: &str) -> bool {
    call.func_name == operators::ADD
        && matches!(call.args.first().map(|first| &first.expr), Some(Expr::Ident(name)) if name == result)
}

fn counted(expression: &mut IdedExpr, count: Counted, parts: i64) {
    let counts = IdedExpr {
        id: expression.id,
        expr: Expr::Call(CallExpr {
            func_name: count.function().to_owned(),
            target: None,
            args: Vec::new(),
        }),
    };
    let value = std::mem::replace(expression, counts);
    if let Expr::Call(call) = &mut expression.expr {
        call.args.push(value);
        call.args.push(IdedExpr {
            id: expression.id,
            expr: Expr::Literal(LiteralValue::Int(parts.into())),
        });
    }
}

/// The parts of an expression, each of which a round evaluates at most once.
fn parts(expression: &IdedExpr) -> i64 {
    let below: i64 = match &expression.expr {
        Expr::Unspecified | Expr::Literal(_) | Expr::Ident(_) | Expr::Struct(_) => 0,
        Expr::Select(select) => parts(&select.operand),
        Expr::Call(call) => call.target.as_deref().map_or(0, parts) + call.args.iter().map(parts).sum::<i64>(),
        Expr::List(list) => list.elements.iter().map(parts).sum(),
        Expr::Map(map) => {
            let entry = |entry: &EntryExpr| match entry {
                EntryExpr::StructField(field) => parts(&field.value),
                EntryExpr::MapEntry(entry) => parts(&entry.key) + parts(&entry.value),
            };
            map.entries.iter().map(|one| entry(&one.expr)).sum()
        }
        Expr::Comprehension(each) => [
            &each.iter_range,
            &each.accu_init,
            &each.loop_cond,
            &each.loop_step,
            &each.result,
        ]
        .into_iter()
        .map(parts)
        .sum(),
    };
    below + 1
}
