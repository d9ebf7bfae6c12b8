//! Words -> tree. Names of functions and variables are checked here already, so that what can be known to
//! be wrong is told before anything runs.

use std::collections::{BTreeMap, VecDeque};

use crate::{
    Functions, Value,
    ast::{Arm, Call, Command, Expr, ExprKind, Name, Node, Number, Pipe, Pos, Range},
    lex::{Fault, Kind, Lexer, Token},
    strconv,
};

/// Deepest nesting of blocks.
const MAX_BLOCKS: usize = 100;
/// Deepest nesting of parentheses.
const MAX_PARENS: usize = 50;

/// The templates of one source by name, the source itself among them.
pub(crate) type Trees = BTreeMap<Name, Vec<Node>>;

type Parsed<T> = Result<T, Fault>;

pub(crate) struct Parser<'s> {
    lexer: Lexer<'s>,
    functions: &'s dyn Functions,
    /// Words taken back, or looked at ahead.
    ahead: VecDeque<Token<'s>>,
    /// The variables that are known here.
    variables: Vec<Name>,
    trees: Trees,
    ranges: usize,
    blocks: usize,
    parens: usize,
}

/// What ends a list of nodes.
enum Terminator {
    End,
    Else(Pos),
}

impl<'s> Parser<'s> {
    /// The templates in a source whose own name is `name`.
    pub(crate) fn parse(lexer: Lexer<'s>, functions: &'s dyn Functions, name: &str) -> Parsed<Trees> {
        let mut parser = Self {
            lexer,
            functions,
            ahead: VecDeque::new(),
            variables: vec!["$".into()],
            trees: Trees::new(),
            ranges: 0,
            blocks: 0,
            parens: 0,
        };
        let root = parser.root()?;
        parser.add(name.into(), root, 0)?;
        Ok(parser.trees)
    }

    fn root(&mut self) -> Parsed<Vec<Node>> {
        let mut nodes = Vec::new();
        loop {
            let token = self.next()?;
            match token.kind {
                Kind::End => return Ok(nodes),
                Kind::Text => nodes.push(Node::Text(token.text.into())),
                Kind::LeftDelimiter => {
                    let word = self.next_word()?;
                    if word.kind == Kind::Keyword && word.text == b"define" {
                        self.definition()?;
                        continue;
                    }
                    match self.action(word)? {
                        Ok(node) => nodes.push(node),
                        Err(Terminator::End) => return fault(word.pos, "unexpected {{end}}"),
                        Err(Terminator::Else(pos)) => return fault(pos, "unexpected {{else}}"),
                    }
                }
                _ => return unexpected(token, "input"),
            }
        }
    }

    fn next(&mut self) -> Parsed<Token<'s>> {
        match self.ahead.pop_front() {
            Some(token) => Ok(token),
            None => self.lexer.advance(),
        }
    }

    fn peek(&mut self) -> Parsed<Token<'s>> {
        let token = self.next()?;
        self.ahead.push_front(token);
        Ok(token)
    }

    fn next_word(&mut self) -> Parsed<Token<'s>> {
        loop {
            let token = self.next()?;
            if token.kind != Kind::Space {
                return Ok(token);
            }
        }
    }

    fn peek_word(&mut self) -> Parsed<Token<'s>> {
        let token = self.next_word()?;
        self.ahead.push_front(token);
        Ok(token)
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Parsed<Token<'s>> {
        let token = self.next_word()?;
        if token.kind == kind { Ok(token) } else { unexpected(token, context) }
    }

    /// `{{define "name"}} ... {{end}}`, after the word.
    fn definition(&mut self) -> Parsed<()> {
        let (name, pos) = self.template_name("define clause")?;
        self.expect(Kind::RightDelimiter, "define clause")?;
        let body = self.separate_body(pos)?;
        self.add(name, body, pos)
    }

    /// A body with no view of the variables and loops around it.
    fn separate_body(&mut self, pos: Pos) -> Parsed<Vec<Node>> {
        let variables = std::mem::replace(&mut self.variables, vec!["$".into()]);
        let ranges = std::mem::take(&mut self.ranges);
        let (body, end) = self.body(pos)?;
        (self.variables, self.ranges) = (variables, ranges);
        match end {
            Terminator::End => Ok(body),
            Terminator::Else(pos) => fault(pos, "unexpected {{else}} in define clause"),
        }
    }

    fn template_name(&mut self, context: &str) -> Parsed<(Name, Pos)> {
        let token = self.next_word()?;
        if !matches!(token.kind, Kind::String | Kind::RawString) {
            return unexpected(token, context);
        }
        let name = String::from_utf8_lossy(&unquote(token)?).into_owned();
        Ok((name.into(), token.pos))
    }

    /// A definition takes the place of an empty one; otherwise a name is defined once.
    fn add(&mut self, name: Name, body: Vec<Node>, pos: Pos) -> Parsed<()> {
        let is_empty = |body: &[Node]| {
            body.iter().all(|node| matches!(node, Node::Text(text) if strconv::trim_space(text).is_empty()))
        };
        match self.trees.get(&name) {
            Some(known) if !is_empty(known) => {
                if !is_empty(&body) {
                    return fault(pos, format!("multiple definition of template \"{name}\""));
                }
            }
            _ => {
                self.trees.insert(name, body);
            }
        }
        Ok(())
    }

    /// Nodes up to `{{end}}` or `{{else}}`; of the latter only the word has been read.
    fn body(&mut self, opened: Pos) -> Parsed<(Vec<Node>, Terminator)> {
        self.blocks += 1;
        if self.blocks > MAX_BLOCKS {
            return fault(opened, format!("blocks are nested more than {MAX_BLOCKS} deep: use templates"));
        }
        let mut nodes = Vec::new();
        loop {
            let token = self.next()?;
            match token.kind {
                Kind::Text => nodes.push(Node::Text(token.text.into())),
                Kind::LeftDelimiter => {
                    let word = self.next_word()?;
                    match self.action(word)? {
                        Ok(node) => nodes.push(node),
                        Err(terminator) => {
                            self.blocks -= 1;
                            return Ok((nodes, terminator));
                        }
                    }
                }
                Kind::End => return fault(opened, "unexpected EOF: this block has no {{end}}"),
                _ => return unexpected(token, "input"),
            }
        }
    }

    /// What stands between delimiters, after its first word.
    fn action(&mut self, word: Token<'s>) -> Parsed<Result<Node, Terminator>> {
        if word.kind != Kind::Keyword {
            self.ahead.push_front(word);
            return Ok(Ok(Node::Action(self.pipeline("command", Kind::RightDelimiter)?)));
        }
        Ok(Ok(match word.text {
            b"if" => self.choice(word.pos, false)?,
            b"with" => self.choice(word.pos, true)?,
            b"range" => self.range(word.pos)?,
            b"template" => self.call()?,
            b"block" => self.block()?,
            b"break" => self.jump(word, "{{break}}", Node::Break)?,
            b"continue" => self.jump(word, "{{continue}}", Node::Continue)?,
            b"end" => {
                self.expect(Kind::RightDelimiter, "end")?;
                return Ok(Err(Terminator::End));
            }
            b"else" => return Ok(Err(Terminator::Else(word.pos))),
            _ => return unexpected(word, "command"),
        }))
    }

    fn jump(&mut self, word: Token<'s>, name: &str, node: Node) -> Parsed<Node> {
        let token = self.next_word()?;
        if token.kind != Kind::RightDelimiter {
            return unexpected(token, name);
        }
        if self.ranges == 0 {
            return fault(word.pos, format!("{name} outside {{{{range}}}}"));
        }
        Ok(node)
    }

    /// `if` or `with`, with all its `else if` and `else with`.
    fn choice(&mut self, pos: Pos, first_with: bool) -> Parsed<Node> {
        let known = self.variables.len();
        let mut arms = Vec::new();
        let mut with = first_with;
        let otherwise = loop {
            let pipe = self.pipeline(if with { "with" } else { "if" }, Kind::RightDelimiter)?;
            let (body, terminator) = self.body(pos)?;
            arms.push(Arm { with, pipe, body });
            let Terminator::Else(else_pos) = terminator else {
                break None;
            };
            let word = self.peek_word()?;
            let chained = word.kind == Kind::Keyword && matches!(word.text, b"if" | b"with");
            if chained {
                self.next_word()?;
                with = word.text == b"with";
                continue;
            }
            break Some(self.else_body(else_pos)?);
        };
        self.variables.truncate(known);
        Ok(Node::Choice(arms, otherwise))
    }

    fn else_body(&mut self, pos: Pos) -> Parsed<Vec<Node>> {
        self.expect(Kind::RightDelimiter, "else")?;
        match self.body(pos)? {
            (body, Terminator::End) => Ok(body),
            (_, Terminator::Else(pos)) => fault(pos, "expected end; found {{else}}"),
        }
    }

    fn range(&mut self, pos: Pos) -> Parsed<Node> {
        let known = self.variables.len();
        let pipe = self.pipeline("range", Kind::RightDelimiter)?;
        self.ranges += 1;
        let (body, terminator) = self.body(pos)?;
        self.ranges -= 1;
        let otherwise = match terminator {
            Terminator::End => None,
            Terminator::Else(pos) => Some(self.else_body(pos)?),
        };
        self.variables.truncate(known);
        Ok(Node::Range(Range { pipe, body, otherwise }))
    }

    fn call(&mut self) -> Parsed<Node> {
        let (name, pos) = self.template_name("template clause")?;
        let pipe = match self.peek_word()?.kind {
            Kind::RightDelimiter => {
                self.next_word()?;
                None
            }
            _ => Some(self.pipeline("template clause", Kind::RightDelimiter)?),
        };
        Ok(Node::Template(Call { pos, name, pipe }))
    }

    /// A definition and its use in one.
    fn block(&mut self) -> Parsed<Node> {
        let (name, pos) = self.template_name("block clause")?;
        let pipe = self.pipeline("block clause", Kind::RightDelimiter)?;
        let body = self.separate_body(pos)?;
        self.add(name.clone(), body, pos)?;
        Ok(Node::Template(Call { pos, name, pipe: Some(pipe) }))
    }

    fn pipeline(&mut self, context: &str, end: Kind) -> Parsed<Pipe> {
        let pos = self.peek_word()?.pos;
        let mut pipe = Pipe { pos, assigns: false, variables: Vec::new(), commands: Vec::new() };
        while self.declaration(context, &mut pipe)? {}
        loop {
            let token = self.next_word()?;
            match token.kind {
                kind if kind == end => {
                    check_pipeline(&pipe, context, token.pos)?;
                    return Ok(pipe);
                }
                Kind::Bool
                | Kind::CharConstant
                | Kind::Dot
                | Kind::Field
                | Kind::Identifier
                | Kind::Number
                | Kind::Nil
                | Kind::RawString
                | Kind::String
                | Kind::Variable
                | Kind::LeftParen => {
                    self.ahead.push_front(token);
                    pipe.commands.push(self.command()?);
                }
                _ => return unexpected(token, context),
            }
        }
    }

    /// Takes `$x :=`, `$x =` or `$x,`; true: after a comma another one must follow.
    fn declaration(&mut self, context: &str, pipe: &mut Pipe) -> Parsed<bool> {
        let variable = self.peek_word()?;
        if variable.kind != Kind::Variable {
            return Ok(false);
        }
        self.next_word()?;
        let after = self.peek()?;
        let next = self.peek_word()?;
        let declares = matches!(next.kind, Kind::Assign | Kind::Declare);
        if !declares && next.kind != Kind::Comma {
            if after.kind == Kind::Space {
                self.ahead.push_front(after);
            }
            self.ahead.push_front(variable);
            return Ok(false);
        }
        self.next_word()?;
        let name = name(variable.text);
        pipe.variables.push(name.clone());
        self.variables.push(name);
        if declares {
            pipe.assigns = next.kind == Kind::Assign;
            return Ok(false);
        }
        if context != "range" || pipe.variables.len() > 1 {
            return fault(next.pos, format!("too many declarations in {context}"));
        }
        match self.peek_word()?.kind {
            Kind::Variable => Ok(true),
            _ => fault(next.pos, "range can only initialize variables"),
        }
    }

    fn command(&mut self) -> Parsed<Command> {
        let pos = self.peek_word()?.pos;
        let mut args = Vec::new();
        loop {
            self.peek_word()?;
            args.extend(self.operand()?);
            let token = self.next()?;
            match token.kind {
                Kind::Space => continue,
                Kind::RightDelimiter | Kind::RightParen => self.ahead.push_front(token),
                Kind::Pipe => {}
                _ => return unexpected(token, "operand"),
            }
            break;
        }
        if args.is_empty() { fault(pos, "empty command") } else { Ok(Command { pos, args }) }
    }

    /// A term with the fields behind it.
    fn operand(&mut self) -> Parsed<Option<Expr>> {
        let Some(mut term) = self.term()? else {
            return Ok(None);
        };
        if self.peek()?.kind != Kind::Field {
            return Ok(Some(term));
        }
        let pos = self.peek()?.pos;
        let mut fields = Vec::new();
        while self.peek()?.kind == Kind::Field {
            fields.push(name(&self.next()?.text[1..]));
        }
        match &mut term.kind {
            ExprKind::Field(names) | ExprKind::Variable(names) => names.append(&mut fields),
            ExprKind::Function(_) | ExprKind::Pipe(_) | ExprKind::Chain(..) => {
                term = Expr { pos, kind: ExprKind::Chain(Box::new(term), fields) };
            }
            _ => return fault(pos, format!("unexpected . after term \"{term}\"")),
        }
        Ok(Some(term))
    }

    fn term(&mut self) -> Parsed<Option<Expr>> {
        let token = self.next_word()?;
        let kind = match token.kind {
            Kind::Identifier => {
                let name = name(token.text);
                if !crate::builtins::exists(&name) && self.functions.signature(&name).is_none() {
                    return fault(token.pos, self.functions.unknown(&name));
                }
                ExprKind::Function(name)
            }
            Kind::Dot => ExprKind::Dot,
            Kind::Nil => ExprKind::Nil,
            Kind::Bool => ExprKind::Bool(token.text == b"true"),
            Kind::Variable => {
                let name = name(token.text);
                if !self.variables.contains(&name) {
                    return fault(token.pos, format!("undefined variable \"{name}\""));
                }
                ExprKind::Variable(vec![name])
            }
            Kind::Field => ExprKind::Field(vec![name(&token.text[1..])]),
            Kind::Number | Kind::CharConstant => ExprKind::Number(number(token)?),
            Kind::String | Kind::RawString => {
                let quoted = String::from_utf8_lossy(token.text).into_owned();
                ExprKind::String(quoted, Value::from(unquote(token)?))
            }
            Kind::LeftParen => {
                self.parens += 1;
                if self.parens > MAX_PARENS {
                    return fault(token.pos, format!("more than {MAX_PARENS} parentheses in each other"));
                }
                let pipe = self.pipeline("parenthesized pipeline", Kind::RightParen)?;
                self.parens -= 1;
                ExprKind::Pipe(Box::new(pipe))
            }
            _ => {
                self.ahead.push_front(token);
                return Ok(None);
            }
        };
        Ok(Some(Expr { pos: token.pos, kind }))
    }
}

fn check_pipeline(pipe: &Pipe, context: &str, pos: Pos) -> Parsed<()> {
    if pipe.commands.is_empty() {
        return fault(pos, format!("missing value for {context}"));
    }
    for (index, command) in pipe.commands.iter().enumerate().skip(1) {
        let first = command.args.first().map(|arg| &arg.kind);
        if let Some(
            ExprKind::Bool(_) | ExprKind::Dot | ExprKind::Nil | ExprKind::Number(_) | ExprKind::String(..),
        ) = first
        {
            return fault(command.pos, format!("non executable command in pipeline stage {}", index + 1));
        }
    }
    Ok(())
}

fn name(text: &[u8]) -> Name {
    String::from_utf8_lossy(text).into()
}

fn unquote(token: Token<'_>) -> Parsed<Vec<u8>> {
    strconv::unquote(token.text)
        .ok_or_else(|| Fault { pos: token.pos, reason: "invalid escape in string".to_owned() })
}

fn number(token: Token<'_>) -> Parsed<Number> {
    let text = String::from_utf8_lossy(token.text).into_owned();
    if token.kind == Kind::CharConstant {
        let Some(code) = strconv::unquote_char(token.text) else {
            return fault(token.pos, format!("malformed character constant: {text}"));
        };
        let float = Some(f64::from(code));
        return Ok(Number { text, int: Some(code.into()), uint: Some(code.into()), float });
    }
    let mut uint = strconv::parse_uint(&text, 0).ok();
    let mut int = strconv::parse_int(&text, 0).ok();
    if int == Some(0) {
        uint = Some(0);
    }
    #[expect(clippy::cast_precision_loss, reason = "as Go converts")]
    let mut float = int.map(|int| int as f64).or_else(|| uint.map(|uint| uint as f64));
    if float.is_none() {
        float = strconv::parse_float(&text).ok();
        let Some(parsed) = float else {
            return fault(token.pos, format!("illegal number syntax: \"{text}\""));
        };
        if !text.contains(['.', 'e', 'E', 'p', 'P']) {
            return fault(token.pos, format!("integer overflow: \"{text}\""));
        }
        int = strconv::float_to_int(parsed);
        uint = int.and_then(|int| u64::try_from(int).ok());
    }
    Ok(Number { text, int, uint, float })
}

fn fault<T>(pos: Pos, reason: impl Into<String>) -> Parsed<T> {
    Err(Fault { pos, reason: reason.into() })
}

fn unexpected<T>(token: Token<'_>, context: &str) -> Parsed<T> {
    let text = String::from_utf8_lossy(token.text);
    let what = match token.kind {
        Kind::End => "EOF".to_owned(),
        Kind::Keyword => format!("<{text}>"),
        _ if text.len() > 20 => format!("\"{}\"...", text.chars().take(10).collect::<String>()),
        _ => format!("\"{text}\""),
    };
    fault(token.pos, format!("unexpected {what} in {context}"))
}
